"""What the flows have in common: the object graph, states that are true, and parameters that hold no secret."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from functools import partial, wraps
from typing import Annotated, Any, ParamSpec

from prefect import State, get_client, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.context import get_run_context
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from pydantic import Field

from flows.run_log import RunLogHandler, keep_transitions_off_console
from migration.app import EXPECTED_ERRORS, App, open_app
from migration.engine.barrier import log_unexpected
from migration.engine.runner import Busy, sentence
from migration.errors import OperationRefused
from migration.operations.wording import status_line
from migration.runtime.log import log_to
from migration.runtime.stop_request import stopping_on_sigterm
from migration.scrubbing.texts import once_more
from migration.settings import read_settings
from migration.steps.outcomes import Advanced, Blocked, Outcome, Reopen
from migration.waves.next_command import next_command

P = ParamSpec("P")
REFERENCE = r"^N-\d{4,}$"
# Prefect's client retries a lost server for a minute. No number waits that long for the name of a run.
RENAME_WITHIN_S = 5
MOST_NAME = 80  # characters of whoever started a run

# The help text of a form's field is in `Args:` of the flow's docstring: Prefect ignores an annotation's description.

# A reference instead of a phone number: Prefect stores parameters in plain text and shows them.
Reference = Annotated[str, Field(pattern=REFERENCE)]
WaveName = Annotated[str, Field(min_length=1, max_length=100)]
Because = Annotated[str, Field(min_length=1, max_length=200)]
# A form cannot know who fills it in: Prefect's open-source server has no users.
StartedBy = Annotated[str, Field(max_length=60)]


class RequestedItinerary(StrEnum):
    """The choices of the form. `as planned` keeps the itinerary that the import chose."""

    AS_PLANNED = "as planned"
    WITH_BACKUP = "WITH_BACKUP"
    CODE_FIRST = "CODE_FIRST"
    CODE_AFTER = "CODE_AFTER"
    ONBOARD = "ONBOARD"


@asynccontextmanager
async def open_flow_app(*, dry_run: bool = False) -> AsyncIterator[App]:
    """The object graph with the settings of this process, which a flow run inherits from its worker.

    A cancellation in Prefect's pages and a worker that ends both send SIGTERM: numbers that are past their gate are
    finished first, and only then Prefect hears of the signal.
    """
    os.umask(0o077)  # what a run writes is for its owner, whatever the umask of Prefect's worker
    keep_transitions_off_console()
    with stopping_on_sigterm() as stop, log_to(RunLogHandler(), run_id()):
        async with open_app(read_settings(), dry_run=dry_run, stop=stop) as app:
            yield app


def run_id() -> str:
    return str(flow_run.id or "")


def prefect_state(outcome: Outcome | Busy, message: str) -> State[Any]:
    """A Prefect state that is true: a waiting number has not failed, and a blocked one is not completed.

    What waits or is held is shown in grey: Prefect has no final state for it, and green would say that it is done.
    """
    message = once_more(message)
    match outcome:
        case Advanced() | Reopen():
            return Completed(message=message)
        case Blocked():
            return Failed(name="Blocked", message=message)
        case _:
            return Cancelled(name=type(outcome).__name__, message=message)


async def run_in_task(name: str, run_name: str, work: Callable[[], Awaitable[Outcome | Busy]]) -> Outcome | Busy:
    """Run `work` as a Prefect task with a true state. Raises what `work` raises.

    If an error were returned as an outcome, a loop would begin the same number again at once, without end.
    """
    outcomes: list[Outcome | Busy] = []
    errors: list[Exception] = []

    @task(name=name, task_run_name=run_name, retries=0, cache_policy=NO_CACHE, persist_result=False)
    async def run() -> Any:
        try:
            outcome = await work()
        except Exception as exc:  # noqa: BLE001 -- Prefect would record its traceback, and what it quotes
            errors.append(exc)
            return Failed(message=_one_line(exc))
        outcomes.append(outcome)
        return prefect_state(outcome, sentence(outcome))

    call: Callable[..., Awaitable[State[Any]]] = run
    state = await call(return_state=True)
    if errors:
        raise errors[0]
    if not outcomes:
        await state.aresult()  # raises the error of the task
        raise RuntimeError(f"{name} of {run_name} ended as {state.name} before it said anything")
    return outcomes[0]


async def run_steps_in_tasks(app: App, migration_id: int) -> Outcome | Busy:
    """Run each step in a task that is named after it, until one does not advance."""
    try:
        while True:
            step = await app.runner.next_step(migration_id) or "end"
            outcome = await run_in_task(step, step, partial(app.runner.run_step, migration_id, goes_on=True))
            if app.runner.is_final(outcome):
                return outcome
            await app.runner.wait(outcome)
    finally:
        await app.runner.let_go(migration_id)


async def run_and_log(app: App, migration_id: int) -> tuple[Any, Outcome | Busy]:
    """As `run_steps_in_tasks`; then where the number is and its next command are in the log of the run."""
    outcome = await run_steps_in_tasks(app, migration_id)
    position, now = await app.queries.positions.get(migration_id), await app.queries.now()
    log_lines([status_line(position, now), f"next: {next_command(position, now)}"])
    return position, outcome


def errors_as_failed_state(work: Callable[P, Coroutine[Any, Any, Any]]) -> Callable[P, Coroutine[Any, Any, Any]]:
    """Turn an error into a failed state of one line. One of ours says what to do; of any other the log has the place.

    If it were raised, Prefect would record its traceback, with everything that the error quotes.
    """

    @wraps(work)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return await work(*args, **kwargs)
        except EXPECTED_ERRORS as exc:
            return Failed(message=_one_line(exc))
        except Exception as exc:  # noqa: BLE001 -- the door for the unexpected
            log_unexpected("flow", _one_line(exc), exc)
            return Failed(message=_one_line(exc))

    return wrapper


def _one_line(exc: Exception) -> str:
    """An error that is not ours may quote anything, so its type stands for it; of a database error, its first line."""
    if not isinstance(exc, EXPECTED_ERRORS):
        return f"internal error: {type(exc).__name__}"
    lines = str(getattr(exc, "orig", None) or exc).splitlines()
    return once_more(lines[0] if lines and lines[0] else type(exc).__name__)


@task(name="validate", task_run_name="validate", retries=0, cache_policy=NO_CACHE, persist_result=False)
def _validate(problem: str | None) -> State[Any]:
    return Failed(message=problem) if problem else Completed(message="what was typed fits together")


def check_parameters(problem: str | None) -> None:
    """Run the task `validate`. Raises OperationRefused if there is a problem with the parameters."""
    _validate(problem, return_state=True)
    if problem:
        raise OperationRefused(problem)


async def overwrite_parameters(without: Callable[[Mapping[str, Any]], dict[str, Any]]) -> None:
    """Replace this run's parameters in Prefect's record by what `without` leaves of them."""
    run = getattr(get_run_context(), "flow_run", None)
    if run is None:
        return
    async with get_client() as client:
        await client.update_flow_run(run.id, parameters=without(run.parameters))


async def rename_run(name: str) -> None:
    """Give this run a better name after our database was read. If that fails, the old name does no harm."""
    run = getattr(get_run_context(), "flow_run", None)
    if run is None:
        return
    with suppress(Exception):
        async with asyncio.timeout(RENAME_WITHIN_S), get_client() as client:
            await client.update_flow_run(run.id, name=name)


def run_name_for_number(label: str) -> str:
    """A run's name with the number's reference. Anything else that was typed may be a phone number or a code."""
    number = flow_run.parameters.get("number")
    return f"{label} {number}" if is_reference(number) else label


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(REFERENCE, value) is not None


def log_lines(lines: Sequence[str]) -> None:
    logger = get_run_logger()
    for line in lines:
        logger.info("%s", once_more(line))


def who_started(typed: object = "") -> str:
    """For the history: the name that was typed in the form, else what Prefect knows, else the run, to be looked up.

    Prefect's open-source server knows no users; `created_by` then names the deployment's schedule or is empty.
    https://docs.prefect.io/v3/api-ref/rest-api/server/schemas (CreatedBy)
    """
    run = getattr(get_run_context(), "flow_run", None)
    name = " ".join(str(typed).split()) or getattr(getattr(run, "created_by", None), "display_value", None)
    if name:
        return f"{once_more(str(name), MOST_NAME)} (Prefect)"
    return f"Prefect run {run.id}" if run is not None else "Prefect"
