"""Takes a code typed into Prefect's form. The flow first overwrites the code in Prefect's record."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from prefect import flow, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES
from prefect.client.schemas.sorting import FlowRunSort
from pydantic import Field, SecretStr

from flows.common import (
    Reference,
    StartedBy,
    errors_as_failed_state,
    is_reference,
    log_lines,
    open_flow_app,
    overwrite_parameters,
    run_name_for_number,
    who_started,
)
from migration.errors import OperationRefused
from migration.operations import received_codes
from migration.operations.received_codes import holds_code
from migration.operations.wording import number_label

# Not a code, so that a retry, or a new run with the same parameters, cannot enter it as one.
OVERWRITTEN = "overwritten"
LOOK_BACK, PAGE = timedelta(days=1), 100


def _name() -> str:
    return run_name_for_number("enter code")


async def _overwrite(flow: Any, flow_run: Any, state: Any) -> None:
    """Called by Prefect when a run has ended otherwise than well: it may not have come to its first act."""
    async with get_client() as client:
        await client.update_flow_run(flow_run.id, parameters=_without_code(flow_run.parameters))


# Prefect's own validation would end a run before its first line, and show in the log what was typed.
@flow(
    name="enter-code",
    flow_run_name=_name,
    retries=0,
    persist_result=False,
    validate_parameters=False,
    on_failure=[_overwrite],
    on_crashed=[_overwrite],
    on_cancellation=[_overwrite],
)
@errors_as_failed_state
async def enter_code(
    number: Reference,
    code: Annotated[SecretStr, Field(max_length=1000)],
    started_by: StartedBy = "",
) -> None:
    """Store the verification code of a number, sealed, and wake the number up.

    Args:
        number: Short reference of the number, as `cutover status` prints it, for example N-0001.
        code: The six digits from the SMS or the call, or the whole message. Overwritten in Prefect's record when the
            run begins.
        started_by: Your name, for the record of who typed the code.

    """
    await overwrite_parameters(_without_code)
    secret = _as_secret(code)
    if not is_reference(number):
        raise OperationRefused("a number is named by its reference, as in N-0001; nothing was stored")
    if secret.get_secret_value() == OVERWRITTEN:
        raise OperationRefused("the code of this run was taken when it first ran; start a new run with a new code")
    async with open_flow_app() as app:
        by = who_started("" if holds_code(started_by) else started_by)
        answer = await received_codes.take_code(app, number, secret, door="prefect", by=by)
        if not answer.accepted:
            raise OperationRefused(answer.message)
        position = await app.queries.positions.find(number)
        log_lines([f"the code of {number_label(position)} is stored, sealed; workers take it from here"])


def _as_secret(code: Any) -> SecretStr:
    """Without validation, a parameter has the type in which Prefect stored it: plain text."""
    return code if isinstance(code, SecretStr) else SecretStr(str(code))


def _without_code(typed: Mapping[str, Any]) -> dict[str, Any]:
    """What may stay in Prefect's record. The code may have been typed into any field, also one that there is not."""
    number, name = typed.get("number"), typed.get("started_by", "")
    return {
        "number": number if is_reference(number) else OVERWRITTEN,
        "code": OVERWRITTEN,
        "started_by": OVERWRITTEN if holds_code(name) else name,
    }


async def overwrite_typed_codes() -> int:
    """Overwrite what was typed for runs that ended before their first act. Returns how many there were.

    A worker that is killed and a run that is cancelled before it began call no hook. Looks a day back.
    """
    ended = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES))),
        expected_start_time=FlowRunFilterExpectedStartTime.model_validate({"after_": datetime.now(UTC) - LOOK_BACK}),
    )
    named = FlowFilter(name=FlowFilterName(any_=["enter-code"]))
    overwritten = offset = 0
    async with get_client() as client:
        while runs := await client.read_flow_runs(
            flow_filter=named, flow_run_filter=ended, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=offset
        ):
            offset += len(runs)
            for run in runs:
                kept = _without_code(run.parameters)
                if {**kept, **run.parameters} != kept:
                    await client.update_flow_run(run.id, parameters=kept)
                    overwritten += 1
    return overwritten
