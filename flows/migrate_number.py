"""Moves one number as far as it can go now: a Prefect task per step."""

from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.common import (
    Reference,
    RequestedItinerary,
    StartedBy,
    check_parameters,
    errors_as_failed_state,
    log_lines,
    open_flow_app,
    prefect_state,
    rename_run,
    run_and_log,
    run_name_for_number,
    who_started,
)
from migration.engine.runner import sentence
from migration.operations.at_the_phone import ask_code
from migration.operations.codes_needed import needs_code
from migration.operations.numbers import switch_itinerary
from migration.operations.wording import status_line
from migration.waves.next_command import next_command


def _name() -> str:
    return run_name_for_number("migrate")


@flow(name="migrate-number", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def migrate_number(
    number: Reference,
    itinerary: RequestedItinerary = RequestedItinerary.AS_PLANNED,
    somebody_at_the_phone: bool = False,
    dry_run: bool = False,
    started_by: StartedBy = "",
) -> Any:
    """Take one number as far as it can go now. Safe to run again at any time.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        itinerary: As planned is what the import chose. WITH_BACKUP needs no code; with CODE_FIRST a code is typed in
            before the outage, with CODE_AFTER during it; ONBOARD is for numbers that are new to Cloud.
            Another way than the planned one is refused once a call is open.
        somebody_at_the_phone: Somebody is at the number's phone now, for ten minutes: its code may be asked for.
            Without it a number that needs a code waits, unless somebody has said so before.
        dry_run: Only say what the next step is; change nothing anywhere.
        started_by: Your name, for the record of who chose the itinerary.

    """
    async with open_flow_app(dry_run=dry_run) as app:
        position = await app.queries.positions.find(number)
        if position.wave is not None:
            await rename_run(f"migrate {position.ref} of wave {position.wave}")
        check_parameters(_problem(position, itinerary, dry_run))
        if dry_run:
            now = await app.queries.now()
            line = status_line(position, now)
            log_lines([line, f"next: {next_command(position, now)}", "dry run: nothing was changed"])
            return Completed(name="DryRun", message=line)
        if itinerary is not RequestedItinerary.AS_PLANNED:
            position = await switch_itinerary(
                app, number, itinerary.value, "chosen in Prefect's form", who_started(started_by)
            )
        if somebody_at_the_phone and needs_code(position):
            asked = await ask_code(app, number, how="prefect_form", by=who_started(started_by))
            log_lines([asked.message])
        position, outcome = await run_and_log(app, position.migration_id)
        return prefect_state(outcome, f"{position.ref}: {sentence(outcome)}")


def _problem(position: Any, itinerary: RequestedItinerary, dry_run: bool) -> str | None:
    """What is wrong with the parameters together; a form can check only each one alone."""
    if dry_run and itinerary is not RequestedItinerary.AS_PLANNED:
        return "a dry run changes nothing, so it cannot change the itinerary; choose one of the two"
    if position.ended_at is not None and not dry_run:
        return f"{position.ref} is {position.status}; there is nothing to move"
    return None
