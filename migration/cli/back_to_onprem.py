"""`cutover back-to-onprem`: take one number back to On-Premises, if there is a way back."""

from migration.app import App
from migration.cli.confirming import ChangeReport, carry_out, forecast_command, show_number
from migration.cli.exit_codes import ExitCode
from migration.cli.number_document import number_document
from migration.cli.options import Confirm, DryRun, Json, NumberArgument
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb
from migration.cli.session import operator_name
from migration.engine.runner import sentence
from migration.operations.rollbacks import RollbackAssessment, back_to_onprem, read_rollback_assessment
from migration.operations.wording import status_line
from migration.waves.next_command import next_command
from state.enums import Side, Status


def back_to_onprem_(
    number: NumberArgument, confirm: Confirm = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Take a number back to On-Premises, where a way back exists. It is another outage."""
    run_verb(_roll_back(number, ChangeReport(as_json, dry_run, needs_confirm=True, confirm=confirm)))


async def _roll_back(number: str, report: ChangeReport) -> int:
    async with open_for_change(dry_run=report.changes_nothing) as app:
        position = await app.queries.positions.find(number)
        report.check_confirmation(position.ref, position.e164, position.phone_number_id)
        await show_number(app, position, report.now)
        assessment = await read_rollback_assessment(app, number)
        option = assessment.option
        report.document["way_back"] = {"way": option.state, "reason": option.reason, "side": assessment.side}
        after = await carry_out(
            report, app, _will(assessment), lambda app: back_to_onprem(app, assessment, operator_name())
        )
        if report.changes_nothing:
            forecast = forecast_command(report, "")
            await show_number(app, after, report.after, next_command=forecast)
            report.next(forecast)
            return report.finish()
        return await _run(app, report, after.migration_id)


async def _run(app: App, report: ChangeReport, migration_id: int) -> int:
    outcome = await app.runner.run_one(migration_id)
    position, now = await app.queries.positions.get(migration_id), await app.queries.now()
    is_back = position.status is Status.DONE and position.side is Side.ON_PREMISES
    line = status_line(position, now) + ("" if is_back else f" ({sentence(outcome)})")
    report.after(line, number_document(position, now, False))
    report.next(next_command(position, now))
    return report.finish(ExitCode.DONE if is_back else ExitCode.NOT_ALL_MOVED)


def _will(assessment: RollbackAssessment) -> str:
    outage = "it is dark until its client serves" if assessment.side is not Side.CLOUD else "through an outage"
    return f"take {assessment.position.ref} back to On-Premises, {outage}; the way back is {assessment.option}"
