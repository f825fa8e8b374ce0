"""`cutover report`: the written account of a fleet or a wave."""

from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields
from migration.cli.number_document import number_document
from migration.cli.options import Json, ShowNumbers
from migration.cli.output import print_json, print_line, print_page
from migration.cli.running import run_verb
from migration.cli.session import open_cli_reader
from migration.cli.status import Fleet, read_fleet
from migration.errors import BadSetting
from migration.operations.written_report import figures, report_lines, wave_document
from migration.vault.private_file import write_private


def report(
    wave: Annotated[str | None, typer.Argument(help="One wave; without it, the whole fleet.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write it to a new file.")] = None,
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
) -> None:
    """Write the account of a fleet or a wave in Markdown: decisions, figures, every number, and what is left to do.

    From the record alone: it needs neither the master key, the admin file, Prefect nor the network.
    """
    run_verb(_report(wave, out, as_json, show_numbers))


async def _report(wave: str | None, out: Path | None, as_json: bool, show_numbers: bool) -> int:
    async with open_cli_reader() as reader:
        fleet = await read_fleet(reader.queries, wave)
    home = home_fields(reader.settings, reader.home)
    title = f"Wave {wave} of home {home['home_id']}" if wave is not None else f"Fleet of home {home['home_id']}"
    if out is not None:
        _write(out, _text(title, fleet, show_numbers))
    if as_json:
        print_json(home | _document(fleet, show_numbers), show_numbers=show_numbers)
    elif out is not None:
        print_line(f"The account is in {out}.")
    else:
        print_page(_text(title, fleet, show_numbers))
    return ExitCode.DONE


def _write(out: Path, text: str) -> None:
    """Raises BadSetting."""
    if out.exists():
        raise BadSetting(f"{out} is there already; nothing was written")
    try:
        write_private(out, text)
    except OSError as exc:
        raise BadSetting(f"{out} cannot be written: {exc.strerror}") from exc


def _text(title: str, fleet: Fleet, show_numbers: bool) -> str:
    waves = {row.name: (row, fleet.wave_events[row.name]) for row in fleet.waves}
    return "\n".join(report_lines(title, fleet.now, waves, fleet.board, show_numbers=show_numbers)) + "\n"


def _document(fleet: Fleet, show_numbers: bool) -> dict[str, object]:
    return {
        "now": fleet.now,
        "figures": figures(fleet.board, fleet.now),
        "waves": [wave_document(row, fleet.wave_events[row.name]) for row in fleet.waves],
        "numbers": [number_document(position, fleet.now, show_numbers) for position in fleet.board],
    }
