"""One number, as far as it can go now: a Prefect task a step."""

from typing import Any

from prefect import State, flow
from prefect.states import Completed

from flows.common import (
    Reference,
    RequestedItinerary,
    check_parameters,
    errors_as_failed_state,
    log_lines,
    open_flow_app,
    prefect_state,
    rename_run,
    run_name_for_number,
    run_steps_in_tasks,
)
from migration.app import App
from migration.engine.runner import sentence
from migration.operations.numbers import switch_itinerary
from migration.operations.wording import next_command, status_line


def _name() -> str:
    return run_name_for_number("migrate")


@flow(name="migrate-number", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def migrate_number(
    number: Reference,
    itinerary: RequestedItinerary = RequestedItinerary.AS_PLANNED,
    dry_run: bool = False,
) -> Any:
    """Take one number as far as it can go now. Safe to run again at any time.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        itinerary: As planned is what the import chose. WITH_BACKUP needs no code; with CODE_FIRST a code is typed in
            before the outage, with CODE_AFTER during it; ONBOARD is for numbers that are new to Cloud.
            Another way than the planned one is refused once a call is open.
        dry_run: Only say what the next step is; change nothing anywhere.

    """
    async with open_flow_app(dry_run=dry_run) as app:
        at = await app.queries.positions.find(number)
        if at.wave is not None:
            await rename_run(f"migrate {at.ref} of wave {at.wave}")
        check_parameters(_unfit(at, itinerary, dry_run))
        if dry_run:
            return await _told(app, at)
        if itinerary is not RequestedItinerary.AS_PLANNED:
            at = await switch_itinerary(app, number, itinerary.value, "chosen in Prefect's form", "Prefect")
        outcome = await run_steps_in_tasks(app, at.migration_id)
        at = await app.queries.positions.get(at.migration_id)
        now = await app.queries.now()
        log_lines([status_line(at, now), f"next: {next_command(at, now)}"])
        return prefect_state(outcome, f"{at.ref}: {sentence(outcome)}")


def _unfit(at: Any, itinerary: RequestedItinerary, dry_run: bool) -> str:
    """Rules over several fields; a form cannot hold them. What is wrong, or nothing."""
    if dry_run and itinerary is not RequestedItinerary.AS_PLANNED:
        return "a dry run changes nothing, so it cannot change the itinerary; choose one of the two"
    if at.ended_at is not None and not dry_run:
        return f"{at.ref} is {at.status}; there is nothing to move"
    return ""


async def _told(app: App, at: Any) -> State[Any]:
    now = await app.queries.now()
    said = status_line(at, now)
    log_lines([said, f"next: {next_command(at, now)}", "dry run: nothing was changed"])
    return Completed(name="DryRun", message=said)
