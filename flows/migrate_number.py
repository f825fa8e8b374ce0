"""One number, as far as it can go now: a Prefect task a step."""

from typing import Annotated, Any

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.common import Reference, Way, in_task, log, opened, state_of
from migration.actions import switch_way
from migration.advice import line, next_command
from migration.bootstrap import App
from migration.mover import Busy, sentence
from migration.step import Outcome


def _name() -> str:
    return f"migrate {flow_run.parameters.get('number', '?')}"


@flow(name="migrate-number", flow_run_name=_name, retries=0, persist_result=False)
async def migrate_number(
    number: Reference,
    itinerary: Annotated[
        Way, Field(title="Itinerary", description="Another way than the planned one is refused once a call is open.")
    ] = Way.AS_PLANNED,
    dry_run: Annotated[
        bool, Field(title="Dry run", description="Only say what the next step is; change nothing anywhere.")
    ] = False,
) -> Any:
    """Take one number as far as it can go now. Safe to run again at any time."""
    async with opened(dry_run=dry_run) as app:
        await _valid(app, number, itinerary, dry_run)
        if dry_run:
            return await _told(app, number)
        if itinerary is not Way.AS_PLANNED:
            await switch_way(app, number, itinerary.value, "chosen in Prefect's form", "Prefect")
        at = await app.queries.find(number)
        outcome = await _steps(app, at.migration_id)
        at = await app.queries.position(at.migration_id)
        now = await app.queries.now()
        log([line(at, now), f"next: {next_command(at, now)}"])
        return state_of(outcome, f"{at.ref}: {sentence(outcome)}")


@task(name="validate", task_run_name="validate", retries=0, cache_policy=NO_CACHE, persist_result=False)
def _refuse(said: str) -> None:
    if said:
        raise ValueError(said)


async def _valid(app: App, number: str, itinerary: Way, dry_run: bool) -> None:
    """Rules over several fields; a form cannot hold them. Raises ValueError, NotFound."""
    at = await app.queries.find(number)
    said = ""
    if dry_run and itinerary is not Way.AS_PLANNED:
        said = "a dry run changes nothing, so it cannot change the itinerary; choose one of the two"
    elif at.ended_at is not None and not dry_run:
        said = f"{at.ref} is {at.status}; there is nothing to move"
    _refuse(said)


async def _told(app: App, number: str) -> State[Any]:
    at, now = await app.queries.find(number), await app.queries.now()
    said = line(at, now)
    log([said, f"next: {next_command(at, now)}", "dry run: nothing was changed"])
    return Completed(name="DryRun", message=said)


async def _steps(app: App, migration_id: int) -> Outcome | Busy:
    """A task for every step, named after it, until one does not advance."""
    while True:
        at = await app.queries.position(migration_id)
        step = at.next_step or "end"
        outcome = await in_task(step, step, lambda: app.mover.run_step(migration_id))
        if app.mover.stops(outcome):
            return outcome
        await app.mover.wait(outcome)
