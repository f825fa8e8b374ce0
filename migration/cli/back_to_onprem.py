"""`cutover back-to-onprem`: one number's way back, as far as there is one."""

from migration.app import App
from migration.cli.confirming import (
    Confirm,
    Confirmation,
    DryRun,
    NumberArgument,
    carry_out,
    open_for_change,
    show_number,
)
from migration.cli.console import ExitCode, Json, operator_name, run_verb
from migration.cli.status import number_document
from migration.engine.runner import sentence
from migration.operations.rollbacks import RollbackAssessment, back_to_onprem, read_rollback_assessment
from migration.operations.wording import next_command, status_line
from state.enums import Side, Status


def back_to_onprem_(
    number: NumberArgument, confirm: Confirm = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Take a number back to On-Premises, where a way back exists. It is another outage."""
    run_verb(_back(number, Confirmation(as_json, dry_run, needs_confirm=True, confirm=confirm)))


async def _back(number: str, asked: Confirmation) -> int:
    async with open_for_change(dry_run=asked.only_looks) as app:
        at = await app.queries.positions.find(number)
        asked.confirmed_for(at.ref, at.e164, at.phone_number_id)
        await show_number(asked, app, at, asked.now)
        back = await read_rollback_assessment(app, number)
        asked.told["way_back"] = {"way": back.option.state, "reason": back.option.reason, "side": back.side}
        after = await carry_out(asked, app, _will(back), lambda app: back_to_onprem(app, back, operator_name()))
        if asked.only_looks:
            await show_number(asked, app, after, asked.after)
            return asked.end()
        return await _move(app, asked, after.migration_id)


async def _move(app: App, asked: Confirmation, migration_id: int) -> int:
    outcome = await app.runner.run_one(migration_id)
    at, now = await app.queries.positions.get(migration_id), await app.queries.now()
    there = at.status is Status.DONE and at.side is Side.ON_PREMISES
    asked.after(status_line(at, now) + ("" if there else f" ({sentence(outcome)})"), number_document(at, now, False))
    asked.next(next_command(at, now))
    return asked.end(ExitCode.DONE if there else ExitCode.NOT_ALL_MOVED)


def _will(back: RollbackAssessment) -> str:
    through = "it is dark until its client serves" if back.side is not Side.CLOUD else "through an outage"
    return f"take {back.position.ref} back to On-Premises, {through}; the way back is {back.option}"
