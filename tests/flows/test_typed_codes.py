"""A code typed into Prefect's form does not stay in Prefect's record, however its run ends."""

from typing import Any

import pytest
from prefect import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
from prefect.client.schemas.objects import StateType
from prefect.flow_engine import run_flow
from prefect.states import Crashed

from flows.enter_code import OVERWRITTEN, enter_code, overwrite_typed_codes
from tests.flows.marks import FLOWS_IN_THIS_PROCESS

pytestmark = FLOWS_IN_THIS_PROCESS

CODE = "481-516"
FORMS: dict[str, dict[str, Any]] = {
    "a field that the form does not have": {"number": "N-0001", "cod": CODE},
    "the right field and one too many": {"number": "N-0001", "code": CODE, "note": CODE},
    "no number": {"code": CODE},
    "the field of the name": {"number": "N-0001", "code": "", "started_by": CODE},
    "the field of the number": {"number": CODE, "code": "1"},
    "a list": {"number": "N-0001", "code": [CODE]},
    "a dictionary": {"number": "N-0001", "code": {"value": CODE}},
    "a number": {"number": "N-0001", "code": 481516},
    "a code that is too long": {"number": "N-0001", "code": f"{CODE}7"},
    "within a sentence": {"number": "N-0001", "code": f"the code is {CODE}"},
}


async def record_of(run_id: Any) -> str:
    """All that Prefect keeps of a run: its parameters, states, messages and logs."""
    async with get_client() as client:
        run = await client.read_flow_run(run_id)
        states = await client.read_flow_run_states(run_id)
        logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id])))
    return " ".join(part.model_dump_json() for part in (run, *states, *logs))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
async def test_a_run_that_fails_keeps_no_code(form: dict[str, Any]) -> None:
    async with get_client() as client:
        run = await client.create_flow_run(enter_code, parameters=form)
    start: Any = run_flow  # as a worker's process does; its types do not know of flows that return a state
    state = await start(enter_code, flow_run=run, parameters=form, return_type="state")
    assert state.type is StateType.FAILED
    record = await record_of(run.id)
    assert (CODE in record, "481516" in record) == (False, False)


@pytest.mark.slow
async def test_a_run_that_never_reached_its_first_line_is_overwritten_by_the_sweep() -> None:
    async with get_client() as client:
        run = await client.create_flow_run(enter_code, parameters={"number": "N-0001", "code": CODE})
        await client.set_flow_run_state(run.id, Crashed(message="the worker was killed"), force=True)
    assert await overwrite_typed_codes() == 1
    assert await overwrite_typed_codes() == 0
    assert CODE not in await record_of(run.id)
    async with get_client() as client:
        kept = (await client.read_flow_run(run.id)).parameters
    assert kept == {"number": "N-0001", "code": OVERWRITTEN, "started_by": ""}
