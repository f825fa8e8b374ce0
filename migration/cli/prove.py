"""`cutover prove`: another message that shows whether a moved number works, or another way to prove it."""

from datetime import timedelta
from typing import Annotated

import typer

from migration.app import App
from migration.cli.confirming import ChangeReport, carry_out
from migration.cli.exit_codes import ExitCode
from migration.cli.options import DryRun, Json, NumberArgument
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb
from migration.cli.session import operator_name
from migration.operations.proof_wording import not_proved_line, proof_document, proof_text
from migration.operations.proving import ask_for_proof
from migration.operations.wording import next_command_after_show, number_label
from migration.waves.asked_proofs import send_asked
from migration.waves.proofs import await_deliveries
from state.enums import SmokeMode
from state.proof import SENDING, is_moved, is_proved, mode_of
from state.rows import Position

PATIENCE = timedelta(seconds=10)  # for what webhooks say of the message


def prove(
    number: NumberArgument,
    smoke: Annotated[SmokeMode | None, typer.Option(help="How it is proved from now on; default: as before.")] = None,
    because: Annotated[str, typer.Option(help="For the history: why.")] = "",
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Prove again that a moved number works: send one more message, or choose how it is proved.

    The message is sent once, whatever becomes of this command. Exit code 4: the number is not proved yet.
    """
    run_verb(_prove(number, smoke, because, ChangeReport(as_json, dry_run)))


async def _prove(number: str, mode: SmokeMode | None, because: str, report: ChangeReport) -> int:
    by = operator_name()

    async def ask(app: App) -> Position:
        return await ask_for_proof(app, number, mode, because, by)

    async def ask_and_send(app: App) -> Position:
        position = await ask(app)
        if not report.changes_nothing and is_moved(position):
            await send_asked(app)
            await await_deliveries(app, lambda one: one == position.migration_id, position.wave, PATIENCE)
        return await app.queries.positions.get(position.migration_id)

    async with open_for_change(dry_run=report.changes_nothing) as app:
        position, now = await app.queries.positions.find(number), await app.queries.now()
        report.now(f"{number_label(position)}: {proof_text(position)}", proof_document(position, now))
        position = await carry_out(report, app, _will(position, mode), ask_and_send, ask)
        now = await app.queries.now()
        report.after(f"{position.ref}: {proof_text(position)}", proof_document(position, now))
        unproved = is_moved(position) and not is_proved(position) and not report.changes_nothing
        if unproved:
            report.note(not_proved_line(position))
        report.next(next_command_after_show(position, now))
        return report.finish(ExitCode.NOT_ALL_PROVED if unproved else ExitCode.DONE)


def _will(position: Position, mode: SmokeMode | None) -> str:
    chosen = mode or mode_of(position)
    parts = [f"prove it by {chosen} from now on"] if mode is not None else []
    parts += ["send one more message to its recipient"] if is_moved(position) and chosen in SENDING else []
    return ", and ".join(parts) or "change nothing"
