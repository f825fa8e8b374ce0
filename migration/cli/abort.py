"""`cutover abort`: end a number's migration before its point of no return."""

from migration.app import App
from migration.cli.confirming import ChangeReport, change_number
from migration.cli.exit_codes import ExitCode, run_verb
from migration.cli.options import Because, Confirm, DryRun, Json, NumberArgument
from migration.cli.session import open_cli_app, operator_name
from migration.operations.numbers import abort, switch_to_abort
from state.rows import Position


def abort_(
    number: NumberArgument,
    because: Because,
    confirm: Confirm = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """End a number's migration before its point of no return. The number stays where it serves."""
    report = ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)
    run_verb(_abort(number, because, report))


async def _abort(number: str, because: str, report: ChangeReport) -> int:
    async def switch_only(app: App) -> None:
        await switch_to_abort(app, number, because, operator_name())

    async def switch_and_run(app: App) -> None:
        await abort(app, number, because, operator_name())

    # A dry run ends at the database: the step that follows would notify the senders.
    action = switch_only if report.changes_nothing else switch_and_run
    exit_code = await change_number(report, number, _will, action, rehearsal=switch_only)
    if report.changes_nothing or await _has_ended(number):
        return exit_code
    return ExitCode.NOT_ALL_MOVED


async def _has_ended(number: str) -> bool:
    async with open_cli_app(dry_run=True) as app:
        return (await app.queries.positions.find(number)).ended_at is not None


def _will(position: Position) -> str:
    senders = "; its senders, who were asked to wait, are told to go on" if position.paused_at is not None else ""
    return f"end the migration of {position.ref} for good, side {position.side}{senders}"
