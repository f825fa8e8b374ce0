"""`cutover abort`: end a number's migration before its point of no return."""

from collections.abc import Sequence
from typing import Annotated

import typer

from migration.app import App
from migration.cli.bulk import Blocked, FromFile, OfWave, Selection, change_numbers
from migration.cli.confirming import ChangeReport, change_number
from migration.cli.exit_codes import ExitCode
from migration.cli.options import Because, Confirm, DryRun, Json
from migration.cli.output import print_line
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, operator_name
from migration.engine.itineraries import ITINERARIES
from migration.engine.step_run import READING
from migration.operations.numbers import abort, switch_to_abort
from migration.operations.open_calls import open_call_text
from state.enums import Side, Status
from state.ledger.moves import Move
from state.rows import Position


def abort_(
    because: Because,
    number: Annotated[list[str] | None, typer.Argument(help="References (N-0001), E.164 or phone number ids.")] = None,
    wave: OfWave = None,
    blocked: Blocked = False,
    file: FromFile = None,
    confirm: Confirm = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """End the migration of numbers before their point of no return. Each stays where it serves."""
    report = ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)
    selection = Selection(number or (), wave, blocked, file)
    if selection.is_bulk:
        run_verb(_abort_many(selection, because, report))
    run_verb(_abort(selection.single, because, report))


async def _abort_many(selection: Selection, because: str, report: ChangeReport) -> int:
    by = operator_name()

    async def end(app: App, ref: str) -> None:
        if report.changes_nothing:
            await _forecast(app, await switch_to_abort(app, ref, because, by))
        else:
            await abort(app, ref, because, by, lambda text: print_line(text, as_json=report.as_json))

    return await change_numbers(
        report,
        selection,
        "end the migration of each number for good, before its point of no return; paused senders are told to go on",
        end,
        lambda row: row.ended_at is None and row.crossed_at is None,
        is_complete=lambda row: row.ended_at is not None,
    )


async def _abort(number: str, because: str, report: ChangeReport) -> int:
    waits: list[str] = []

    async def rehearse_switch(app: App) -> None:
        position = await app.queries.positions.find(number)
        attempt = await app.queries.records.open_attempt(position.migration_id)
        if attempt is not None and position.ended_at is None and position.status is not Status.BLOCKED:
            waits.append(open_call_text(position, attempt))  # whether it can be ended is not known before that
            return
        await _forecast(app, await switch_to_abort(app, number, because, operator_name()))

    async def switch_and_run(app: App) -> None:
        await abort(app, number, because, operator_name(), lambda text: print_line(text, as_json=report.as_json))

    # A dry run ends at the database: the step that follows would notify the senders.
    action = rehearse_switch if report.changes_nothing else switch_and_run
    exit_code = await change_number(
        report, number, lambda position: _will(position, waits), action, rehearsal=rehearse_switch
    )
    if report.changes_nothing or await _has_ended(number):
        return exit_code
    return ExitCode.NOT_ALL_MOVED


async def _forecast(app: App, position: Position) -> None:
    """In a rehearsal: a number whose senders need not be told anything has ended at once."""
    if position.paused_at is None and position.route in (None, Side.ON_PREMISES) and position.next_step is not None:
        lease = await app.ledger.leases.acquire(position.migration_id, app.holder, READING, exempt=ITINERARIES)
        await app.ledger.moves.record(lease, Move(position.next_step, Status.ABORTED, "aborted"))


async def _has_ended(number: str) -> bool:
    async with open_cli_app(dry_run=True) as app:
        return (await app.queries.positions.find(number)).ended_at is not None


def _will(position: Position, waits: Sequence[str]) -> str:
    senders = "; its senders, who were asked to wait, are told to go on" if position.paused_at is not None else ""
    first = f"wait, because {waits[0]}; then, unless it has crossed, " if waits else ""
    return f"{first}end the migration of {position.ref} for good, side {position.side}{senders}"
