"""`cutover abort`: end a number's migration before its point of no return."""

from migration.app import App
from migration.cli.confirming import Because, Confirm, Confirmation, DryRun, NumberArgument, change_number
from migration.cli.console import ExitCode, Json, open_cli_app, operator_name, run_verb
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
    asked = Confirmation(as_json, dry_run, needs_confirm=True, confirm=confirm)
    run_verb(_abort(number, because, asked))


async def _abort(number: str, because: str, asked: Confirmation) -> int:
    async def turn(app: App) -> None:
        await switch_to_abort(app, number, because, operator_name())

    async def act(app: App) -> None:
        await abort(app, number, because, operator_name())

    # A dry run goes as far as the database: the senders are told by the step that follows.
    code = await change_number(asked, number, _will, turn if asked.only_looks else act, rehearsal=turn)
    return code if asked.only_looks or await _ended(number) else ExitCode.NOT_ALL_MOVED


async def _ended(number: str) -> bool:
    async with open_cli_app(dry_run=True) as app:
        return (await app.queries.positions.find(number)).ended_at is not None


def _will(at: Position) -> str:
    told = "; its senders, who were asked to wait, are told to go on" if at.paused_at is not None else ""
    return f"end the migration of {at.ref} for good, side {at.side}{told}"
