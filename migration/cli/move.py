"""`cutover move`: put numbers into another wave, or take them out of theirs."""

from typing import Annotated

import typer

from migration.cli.bulk import Blocked, FromFile, OfWave, Selection
from migration.cli.confirming import ChangeReport, forecast_command
from migration.cli.number_document import number_document
from migration.cli.options import Because, DryRun, Json
from migration.cli.output import count_text
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.session import operator_name
from migration.operations.wave_transfer import move_numbers
from migration.operations.wave_wording import wave_line
from migration.operations.wording import status_line
from migration.waves.names import wave_name_problem
from state.rows import Position


def move(
    because: Because,
    numbers: Annotated[list[str] | None, typer.Argument(help="Numbers (N-0001); or --file, --wave, --blocked.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="The wave that they join.")] = None,
    out: Annotated[bool, typer.Option("--out", help="They leave their wave, and join none.")] = False,
    new: Annotated[bool, typer.Option("--new", help="Make the wave of --to if there is none.")] = False,
    wave: OfWave = None,
    blocked: Blocked = False,
    file: FromFile = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Move numbers that have not crossed to another wave, or out of their wave: all of them or none."""
    if (to is None) == (not out) or (out and new):
        usage_error("give --to WAVE (with --new for a new one) or --out; nothing was changed")
    problem = wave_name_problem(to) if to is not None else None
    if problem is not None:
        usage_error(f"a wave is not called {to!r}: {problem}")
    selection = Selection(numbers or (), wave, blocked, file)
    run_verb(_move(selection, to, because, ChangeReport(as_json, dry_run), new=new))


async def _move(selection: Selection, to: str | None, because: str, report: ChangeReport, *, new: bool) -> int:
    async with open_for_change(dry_run=report.changes_nothing) as app:
        chosen = await selection.find(app, lambda row: _can_move(row, to))
        target = f"to wave {to}" if to is not None else "out of their waves"
        report.will(f"move {count_text(len(chosen))} {target}")
        await move_numbers(app, chosen, to, because, operator_name(), new=new)
        now = await app.queries.now()
        board = [await app.queries.positions.get(position.migration_id) for position in chosen]
        documents = [number_document(position, now, False) for position in board]
        report.document["numbers"] = [
            document | {"next_command": forecast_command(report, document["next_command"])} for document in documents
        ]
        for position in board:
            wave = f"wave {position.wave}" if position.wave is not None else "no wave"
            hold = ", on hold" if position.hold else ""
            report.note(f"{status_line(position, now)}; {wave}{hold}")
        if to is not None:
            report.note(wave_line(await app.queries.waves.get(to)))
        report.next(forecast_command(report, f"cutover status {to}" if to is not None else "cutover status"))
        return report.finish()


def _can_move(position: Position, to: str | None) -> bool:
    """Of a wave or of all blocked numbers, those that can be moved there."""
    return position.ended_at is None and position.crossed_at is None and position.wave != to
