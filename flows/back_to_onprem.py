"""Takes one number back to On-Premises, if there is a way back: a Prefect task per step."""

from typing import Annotated, Any

from prefect import State, flow
from prefect.states import Completed, Failed
from pydantic import Field

from flows.common import (
    Reference,
    StartedBy,
    check_parameters,
    errors_as_failed_state,
    log_lines,
    open_flow_app,
    prefect_state,
    run_and_log,
    run_name_for_number,
    who_started,
)
from migration.engine.itineraries import BACK_TO_ONPREM
from migration.engine.runner import Busy, sentence
from migration.operations import rollbacks
from migration.operations.wording import status_line
from migration.steps.outcomes import Outcome


def _name() -> str:
    return run_name_for_number("back to On-Premises")


@flow(name="back-to-onprem", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def back_to_onprem(
    number: Reference,
    confirm: Annotated[str, Field(pattern=r"^(N-\d{4,})?$")] = "",
    dry_run: bool = False,
    started_by: StartedBy = "",
) -> Any:
    """Take one number back to On-Premises, where a way back exists. It is another outage.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        confirm: The same reference once more, because going back is another outage. May stay empty in a dry run.
        dry_run: Only say whether there is a way back; change nothing anywhere.
        started_by: Your name, for the record of who took the number back.

    """
    check_parameters(None if dry_run else confirmation_problem(number, confirm))
    async with open_flow_app(dry_run=dry_run) as app:
        assessment = await rollbacks.read_rollback_assessment(app, number)
        position = assessment.position
        way_back = f"the way back is {assessment.option}"
        log_lines([status_line(position, await app.queries.now()), way_back])
        if dry_run:
            log_lines(["dry run: nothing was changed"])
            return Completed(name="DryRun", message=f"{position.ref}: {way_back}")
        position = await rollbacks.back_to_onprem(app, assessment, who_started(started_by))
        position, outcome = await run_and_log(app, position.migration_id)
        return final_state(position, outcome)


def confirmation_problem(number: str, confirm: str) -> str | None:
    """What is wrong with the reference that was typed again, or None."""
    if confirm == number:
        return None
    if not confirm:
        return f"going back is another outage: type {number} once more into Confirm; nothing was changed"
    return f"Confirm says {confirm}, the number is {number}; nothing was changed"


def final_state(position: Any, outcome: Outcome | Busy) -> State[Any]:
    """The state of the last outcome, or Failed if the number ended on the other side."""
    if position.ended_at is not None and position.itinerary != BACK_TO_ONPREM.name:
        end = f"it ended on {position.side} by {position.itinerary}"
        return Failed(name="NotBack", message=f"{position.ref} could not go back; {end}")
    return prefect_state(outcome, f"{position.ref}: {sentence(outcome)}")
