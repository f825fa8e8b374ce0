"""One number's way back to On-Premises, as far as there is one: a Prefect task a step."""

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.common import (
    Reference,
    check_parameters,
    errors_as_failed_state,
    log_lines,
    open_flow_app,
    prefect_state,
    run_name_for_number,
    run_steps_in_tasks,
)
from migration.app import App
from migration.engine.itineraries import BACK_TO_ONPREM
from migration.engine.runner import Busy, sentence
from migration.operations.rollbacks import RollbackAssessment, read_rollback_assessment
from migration.operations.rollbacks import back_to_onprem as turn_back
from migration.operations.wording import next_command, status_line
from migration.steps.outcomes import Outcome

WHO = "Prefect's form"


def _name() -> str:
    return run_name_for_number("back to On-Premises")


@flow(name="back-to-onprem", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def back_to_onprem(
    number: Reference,
    confirm: Annotated[str, Field(pattern=r"^(N-\d{4,})?$")] = "",
    dry_run: bool = False,
) -> Any:
    """Take one number back to On-Premises, where a way back exists. It is another outage.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        confirm: The same reference once more, because going back is another outage. May stay empty in a dry run.
        dry_run: Only say whether there is a way back; change nothing anywhere.

    """
    check_parameters("" if dry_run else confirmation_problem(number, confirm))
    async with open_flow_app(dry_run=dry_run) as app:
        back = await read_rollback_assessment(app, number)
        log_lines([status_line(back.position, await app.queries.now()), f"the way back is {back.option}"])
        if dry_run:
            return _told(back)
        at = await turn_back(app, back, WHO)
        return await _moved(app, at.migration_id)


def confirmation_problem(number: str, confirm: str) -> str:
    """What is wrong with what was typed again, or nothing."""
    if confirm == number:
        return ""
    if not confirm:
        return f"going back is another outage: type {number} once more into Confirm; nothing was changed"
    return f"Confirm says {confirm}, the number is {number}; nothing was changed"


def _told(back: RollbackAssessment) -> State[Any]:
    log_lines(["dry run: nothing was changed"])
    return Completed(name="DryRun", message=f"{back.position.ref}: the way back is {back.option}")


async def _moved(app: App, migration_id: int) -> State[Any]:
    outcome = await run_steps_in_tasks(app, migration_id)
    at, now = await app.queries.positions.get(migration_id), await app.queries.now()
    log_lines([status_line(at, now), f"next: {next_command(at, now)}"])
    return final_state(at, outcome)


def final_state(at: Any, outcome: Outcome | Busy) -> State[Any]:
    """What was asked for, what it waits for, or that the number ended on the other side."""
    if at.ended_at is not None and at.itinerary != BACK_TO_ONPREM.name:
        return Failed(name="NotBack", message=f"{at.ref} could not go back; it ended on {at.side} by {at.itinerary}")
    return prefect_state(outcome, f"{at.ref}: {sentence(outcome)}")
