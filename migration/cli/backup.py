"""`cutover backup`: one file with the database and the shelf of backups, taken while workers run."""

from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_json, print_line
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.home.making_home import has_key
from migration.home.writing_backup import take_backup


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; one that exists is never overwritten.")],
    as_json: Json = False,
) -> None:
    """Write database and shelf of backups into one file, while workers run. The master key is never in it."""
    run_verb(_backup(file, as_json))


async def _backup(file: Path, as_json: bool) -> int:
    async with open_cli_reader() as reader:
        keys = reader.settings.keys() if has_key(reader.settings) else None
        taken = await take_backup(reader.settings, reader.database, file, keys)
    manifest = taken.manifest
    if as_json:
        counts = {"rows": sum(manifest.counts.values()), "numbers": manifest.counts["numbers"]}
        shelf = {"shelf_files": manifest.shelf_files, "missing_on_shelf": list(taken.missing)}
        print_json({"file": str(file), "home_id": manifest.home_id, "taken_at": manifest.taken_at} | counts | shelf)
        return ExitCode.DONE
    numbers, rows = manifest.counts["numbers"], sum(manifest.counts.values())
    print_line(
        f"{file}: home {manifest.home_id}, {numbers} numbers, {rows} rows, {manifest.shelf_files} sealed backups"
    )
    if taken.missing:
        print_line(f"Not on the shelf although the database names them: {', '.join(taken.missing)}.")
    checked = "it was searched for" if keys is not None else "there is no key here to search for"
    print_line(f"The master key is not in it ({checked}); keep it somewhere else. Back: `cutover restore {file}`.")
    return ExitCode.DONE
