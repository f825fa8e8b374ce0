"""What every flow shares: the object graph, true states, parameters that are references and never secrets."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from functools import wraps
from typing import Annotated, Any, ParamSpec

from prefect import State, get_client, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import get_run_context
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from pydantic import Field

from migration.app import EXPECTED_ERRORS, App, open_app
from migration.engine.runner import Busy, sentence
from migration.errors import OperationRefused
from migration.settings import read_settings
from migration.steps.outcomes import Advanced, Blocked, Outcome, Reopen

P = ParamSpec("P")
REFERENCE = r"^N-\d{4,}$"
# Prefect's client tries a lost server again for a minute; no number waits for a name.
NAME_TAKES_S = 5

# What a form says beside a field is in the `Args:` of the flow's docstring: Prefect drops an annotation's description.

# A reference, not a phone number: Prefect stores parameters in plain text and shows them.
Reference = Annotated[str, Field(pattern=REFERENCE)]
WaveName = Annotated[str, Field(min_length=1, max_length=100)]


class RequestedItinerary(StrEnum):
    """What the form offers; the choice that was made at import is the usual one."""

    AS_PLANNED = "as planned"
    WITH_BACKUP = "WITH_BACKUP"
    CODE_FIRST = "CODE_FIRST"
    CODE_AFTER = "CODE_AFTER"
    ONBOARD = "ONBOARD"


@asynccontextmanager
async def open_flow_app(*, dry_run: bool = False) -> AsyncIterator[App]:
    """The object graph under the settings of this process: a flow run inherits them from its worker."""
    async with open_app(read_settings(), dry_run=dry_run) as app:
        yield app


def prefect_state(outcome: Outcome | Busy, said: str) -> State[Any]:
    """A Prefect state that is true: waiting is not failed, and blocked is not completed."""
    match outcome:
        case Advanced() | Reopen():
            return Completed(message=said)
        case Blocked():
            return Failed(name="Blocked", message=said)
        case _:
            return Completed(name=type(outcome).__name__, message=said)


async def run_in_task(name: str, shown: str, work: Callable[[], Awaitable[Outcome | Busy]]) -> Outcome | Busy:
    """Run `work` as a Prefect task whose state says how it ended; an error in it is raised here again.

    Raising matters: a loop that took an error for an answer would begin the same number again at once, for ever.
    """
    ended: list[Outcome | Busy] = []

    @task(name=name, task_run_name=shown, retries=0, cache_policy=NO_CACHE, persist_result=False)
    async def taken() -> Any:
        outcome = await work()
        ended.append(outcome)
        return prefect_state(outcome, sentence(outcome))

    called: Callable[..., Awaitable[State[Any]]] = taken
    state = await called(return_state=True)
    if not ended:
        await state.aresult()  # raises what ended it
        raise RuntimeError(f"{name} of {shown} ended as {state.name} before it said anything")
    return ended[0]


async def run_steps_in_tasks(app: App, migration_id: int) -> Outcome | Busy:
    """A task for every step, named after it, until one does not advance."""
    while True:
        at = await app.queries.positions.get(migration_id)
        step = at.next_step or "end"
        outcome = await run_in_task(step, step, lambda: app.runner.run_step(migration_id))
        if app.runner.is_final(outcome):
            return outcome
        await app.runner.wait(outcome)


def errors_as_failed_state(work: Callable[P, Coroutine[Any, Any, Any]]) -> Callable[P, Coroutine[Any, Any, Any]]:
    """What people can mend ends a run with one line, as at the command line; what is ours to mend stays loud.

    Raised into Prefect it would fill the page that they read with tracebacks.
    """

    @wraps(work)
    async def told(*args: P.args, **named: P.kwargs) -> Any:
        try:
            return await work(*args, **named)
        except EXPECTED_ERRORS as exc:
            said = str(exc) or type(exc).__name__
            return Failed(message=said.splitlines()[0])

    return told


@task(name="validate", task_run_name="validate", retries=0, cache_policy=NO_CACHE, persist_result=False)
def _validate(said: str) -> State[Any]:
    return Failed(message=said) if said else Completed(message="what was typed fits together")


def check_parameters(said: str) -> None:
    """Run the task `validate`. Raises OperationRefused when the parameters do not fit together."""
    _validate(said, return_state=True)
    if said:
        raise OperationRefused(said)


async def overwrite_parameters(changed: dict[str, Any]) -> None:
    """Replace this run's parameters in Prefect's record: what was typed there must not stay there."""
    run = getattr(get_run_context(), "flow_run", None)
    if run is None:
        return
    async with get_client() as client:
        await client.update_flow_run(run.id, parameters={**run.parameters, **changed})


async def rename_run(name: str) -> None:
    """Tell more in this run's name once our database was read. For the eye only: a name that stays harms nothing."""
    run = getattr(get_run_context(), "flow_run", None)
    if run is None:
        return
    with suppress(Exception):
        async with asyncio.timeout(NAME_TAKES_S), get_client() as client:
            await client.update_flow_run(run.id, name=name)


def run_name_for_number(what: str) -> str:
    """A run's name, with the reference that it is for: what was typed and is none may be a phone number, or a code."""
    number = flow_run.parameters.get("number")
    return f"{what} {number}" if is_reference(number) else what


def is_reference(named: Any) -> bool:
    return isinstance(named, str) and re.fullmatch(REFERENCE, named) is not None


def log_lines(lines: Sequence[str]) -> None:
    logger = get_run_logger()
    for line in lines:
        logger.info(line)
