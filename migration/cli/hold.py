"""`cutover hold`: keep a number or a wave from crossing."""

from typing import Annotated

import typer

from migration.cli.bulk import Blocked, FromFile, OfWave, Selection, change_numbers
from migration.cli.confirming import ChangeReport, change_number, change_wave
from migration.cli.options import DryRun, Json, typed_text
from migration.cli.running import run_verb
from migration.cli.session import operator_name
from migration.cli.target import is_wave
from migration.operations.numbers import hold_number
from migration.operations.waves import hold_wave
from migration.waves.next_command import release_of
from state.rows import Position

WILL_HOLD_WAVE = (
    "keep every number of the wave that has not crossed on its side of the gate; those that have crossed go on, "
    "because holding them would keep them dark"
)


def hold(
    what: Annotated[list[str] | None, typer.Argument(help="A wave, or one or more numbers (N-0001).")] = None,
    because: Annotated[
        str, typer.Option("--because", callback=typed_text, help="Why: it is shown wherever the hold is.")
    ] = "",
    wave: OfWave = None,
    blocked: Blocked = False,
    file: FromFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Hold a number or a wave before its cutover. Works while workers run; `release` lets it go."""
    report, selection = ChangeReport(as_json, dry_run), Selection(what or (), wave, blocked, file)
    if selection.is_bulk:
        by = operator_name()
        run_verb(
            change_numbers(
                report,
                selection,
                "put each number on hold: it does not pass its gate until it is released",
                lambda app, ref: hold_number(app, ref, by, because),
                lambda row: row.ended_at is None and row.crossed_at is None and not row.hold,
            )
        )
    run_verb(_hold(selection.single, because, report))


async def _hold(name: str, because: str, report: ChangeReport) -> int:
    by = operator_name()
    if await is_wave(name):
        reason = because or f"held by {by}"
        return await change_wave(report, name, WILL_HOLD_WAVE, lambda app: hold_wave(app, name, reason, by), release_of)
    return await change_number(report, name, _will_hold_number, lambda app: hold_number(app, name, by, because))


def _will_hold_number(position: Position) -> str:
    if position.crossed_at is not None:
        return "put the number on hold; it is past its point of no return and goes on to its end all the same"
    return "put the number on hold: it does not pass its gate until it is released"
