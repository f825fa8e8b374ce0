"""`cutover restore`: a backup becomes the home again, as a new epoch."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.home.restoring import Restored, restore
from migration.operations.restored import look_after_restore
from migration.settings import read_settings


def restore_(
    file: Annotated[Path | None, typer.Argument(help="What `cutover backup` wrote.")] = None,
    move_aside: Annotated[
        bool, typer.Option("--move-aside", help="Keep the database that is there under another name, then restore.")
    ] = False,
    look: Annotated[
        bool, typer.Option("--look", help="After a restore: read both sides of each number, let go on what agrees.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put database and shelf back from a backup. Stop every worker first. No number moves before it was looked at."""
    if look == (file is not None):
        usage_error("give a FILE to restore, or --look after a restore")
    if file is None:
        run_verb(_look(as_json))
    if not file.is_file():
        usage_error(f"there is no file {file}")
    run_verb(_restore(file, as_json, move_aside=move_aside))


async def _look(as_json: bool) -> int:
    async with open_cli_app() as app:
        differences = await look_after_restore(app, operator_name())
    stay = [row for row in differences if not row.goes_on]
    if as_json:
        print_json({"numbers": [asdict(row) for row in differences], "stay": len(stay)})
        return ExitCode.NOT_ALL_MOVED if stay else ExitCode.DONE
    rows = [(row.ref, row.recorded.value, row.found, row.what) for row in differences]
    print_table("", ("number", "by the record", "by both sides", "what now"), rows)
    print_line(f"{count_text(len(stay))} of {len(differences)} stay blocked. Next: `cutover run`.")
    return ExitCode.NOT_ALL_MOVED if stay else ExitCode.DONE


async def _restore(file: Path, as_json: bool, *, move_aside: bool) -> int:
    restored = await restore(read_settings(), file, move_aside=move_aside)
    if as_json:
        print_json(_document(file, restored))
        return ExitCode.DONE
    manifest = restored.manifest
    print_line(f"home {manifest.home_id} as it was at {manifest.taken_at[:16]} UTC, in epoch {restored.epoch}")
    for place in restored.aside:
        print_line(f"kept     {place}")
    known = "are taken over from the old database" if restored.calls_known else "are not known and count as spent"
    print_line(f"Calls of register and deregister since then {known}.")
    waiting = count_text(restored.waiting)
    print_line(f"{waiting} stopped until both sides were read. Next: `cutover restore --look`.")
    return ExitCode.DONE


def _document(file: Path, restored: Restored) -> dict[str, object]:
    return {
        "file": str(file),
        "home_id": restored.manifest.home_id,
        "record_from": restored.manifest.taken_at,
        "epoch": restored.epoch,
        "moved_aside": list(restored.aside),
        "calls_since_known": restored.calls_known,
        "stopped": restored.waiting,
    }
