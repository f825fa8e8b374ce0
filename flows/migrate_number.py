"""One number, as far as it can go now: a Prefect task a step."""

from typing import Any

from prefect import State, flow
from prefect.states import Completed

from flows.common import (
    Reference,
    Way,
    in_one_line,
    log,
    named_for_number,
    opened,
    refuse,
    rename_run,
    state_of,
    steps_in_tasks,
)
from migration.app import App
from migration.engine.runner import sentence
from migration.operations.numbers import switch_way
from migration.operations.wording import line, next_command


def _name() -> str:
    return named_for_number("migrate")


@flow(name="migrate-number", flow_run_name=_name, retries=0, persist_result=False)
@in_one_line
async def migrate_number(
    number: Reference,
    itinerary: Way = Way.AS_PLANNED,
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
    async with opened(dry_run=dry_run) as app:
        at = await app.queries.find(number)
        if at.wave is not None:
            await rename_run(f"migrate {at.ref} of wave {at.wave}")
        refuse(_unfit(at, itinerary, dry_run))
        if dry_run:
            return await _told(app, at)
        if itinerary is not Way.AS_PLANNED:
            at = await switch_way(app, number, itinerary.value, "chosen in Prefect's form", "Prefect")
        outcome = await steps_in_tasks(app, at.migration_id)
        at = await app.queries.position(at.migration_id)
        now = await app.queries.now()
        log([line(at, now), f"next: {next_command(at, now)}"])
        return state_of(outcome, f"{at.ref}: {sentence(outcome)}")


def _unfit(at: Any, itinerary: Way, dry_run: bool) -> str:
    """Rules over several fields; a form cannot hold them. What is wrong, or nothing."""
    if dry_run and itinerary is not Way.AS_PLANNED:
        return "a dry run changes nothing, so it cannot change the itinerary; choose one of the two"
    if at.ended_at is not None and not dry_run:
        return f"{at.ref} is {at.status}; there is nothing to move"
    return ""


async def _told(app: App, at: Any) -> State[Any]:
    now = await app.queries.now()
    said = line(at, now)
    log([said, f"next: {next_command(at, now)}", "dry run: nothing was changed"])
    return Completed(name="DryRun", message=said)
