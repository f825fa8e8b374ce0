"""Prefect shows the same truth: forms that offer waves, who waits for whom, and no task for what waits or is held."""

import json

import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import State, StateType
from sqlalchemy import update

from flows.artifacts import waiting_rows
from flows.hold import hold
from flows.migrate_number import migrate_number
from flows.release import release
from flows.run_wave import run_wave
from flows.stop_wave import stop_wave
from flows.sweep import sweep
from flows.waves_in_forms import offering
from migration.operations.at_the_phone import leave_phone
from state.enums import Released, Status
from state.models import NumberTable
from tests.flows.marks import FLOWS_IN_THIS_PROCESS
from tests.flows.test_flows import artifact, key_of
from tests.harness.flow_environment import FlowEnvironment

pytestmark = FLOWS_IN_THIS_PROCESS
FIRST = "N-0001"


async def test_a_form_offers_the_waves_and_keeps_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {"wave": {"type": "string", "position": 0}, "because": {"type": "string"}},
    }
    offered = offering(schema, ["first", "night, two"])
    assert offered["properties"]["wave"] == {"type": "string", "position": 0, "enum": ["first", "night, two"]}
    assert offering(offered, []) == schema, "without waves, a box for any name"
    assert "enum" not in str(schema)


async def tasks_of(state: State) -> list[tuple[str, str]]:
    """Names of the tasks of a run, and how each ended."""
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    async with get_client() as client:
        runs = await client.read_task_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run_id])))
    return [(run.name, run.state_name or "") for run in runs]


async def nobody_at_the_phones(environment: FlowEnvironment) -> None:
    async with environment.app() as app, app.database.begin() as tx:
        await tx.execute(update(NumberTable).values(slot_from=None, slot_until=None, ready_until=None))


@pytest.mark.slow
async def test_a_wave_is_held_released_and_stopped_in_forms(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    async with environment.app() as app:
        held = await hold("demo", "the customer asked", "Ana", return_state=True)
        assert held.type is StateType.COMPLETED, held.message
        row = await app.queries.waves.get("demo")
        assert (row.state, row.because) == ("held", "the customer asked")
        released = await release("demo", False, "Ana", return_state=True)
        assert released.type is StateType.COMPLETED, released.message
        assert (await app.queries.waves.get("demo")).released == Released.ALL
        wrong = await stop_wave("demo", "dem", "over", "Ana", return_state=True)
        assert (wrong.type, wrong.message) == (StateType.FAILED, "Confirm is not demo; nothing was changed")
        stopped = await stop_wave("demo", "demo", "over", "Ana", return_state=True)
        assert stopped.type is StateType.COMPLETED, stopped.message
        events = await app.queries.waves.events("demo")
        assert {event.by for event in events if event.kind in ("held", "continued", "stopped")} == {"Ana (Prefect)"}
        unknown = await hold("noon", "why", "Ana", return_state=True)
        assert (unknown.type, (unknown.message or "")[:21]) == (StateType.FAILED, "there is no wave noon")


@pytest.mark.slow
async def test_a_held_number_makes_no_task_however_often_it_is_swept(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    async with environment.app() as app:
        await app.ledger.waves.release("demo", Released.NONE)
    first = await run_wave("demo", patience_s=0, gate_min=0, return_state=True)
    assert await tasks_of(first) == [("N-0001", "Held")]
    [position] = await environment.positions()
    assert position.status is Status.HELD
    for _ in range(3):
        assert await tasks_of(await sweep(patience_s=0, return_state=True)) == []
    async with environment.app() as app:
        held = [event for event in await app.queries.records.events(position.migration_id) if event.kind == "held"]
        assert len(held) == 1
        await app.ledger.waves.release("demo", Released.ALL)
    assert ("N-0001", "Completed") in await tasks_of(await sweep(patience_s=0, return_state=True))


async def test_a_number_that_waits_for_somebody_makes_no_task_and_is_named(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", "--kinds", "no_backup")
    await nobody_at_the_phones(environment)
    first = await run_wave("demo", patience_s=0, gate_min=0, return_state=True)
    assert await tasks_of(first) == [("N-0001", "Waiting")]
    for _ in range(2):
        assert await tasks_of(await sweep(patience_s=0, return_state=True)) == []
    [position] = await environment.positions()
    [row] = json.loads((await artifact(f"{await key_of(environment, 'demo')}-waiting")).data)
    assert row["waits for"] == "its customer"
    table = await artifact(f"{await key_of(environment, 'demo')}-table")
    assert position.customer not in json.dumps(row) + str(table.data), (
        "`cutover forget` does not reach Prefect's record"
    )
    assert "nobody is at the phone" in row["why"]
    assert "cutover ask-code N-0001" in row["next command"]
    async with environment.app() as app:
        now = await app.queries.now()
        assert waiting_rows([position], now) == waiting_rows([position], now)


@pytest.mark.slow
async def test_the_tick_of_the_form_says_that_somebody_is_there(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", "--kinds", "no_backup", wave="")
    await nobody_at_the_phones(environment)
    without = await migrate_number(FIRST, return_state=True)
    assert without.name == "Waiting"
    [position] = await environment.positions()
    assert position.next_step == "request_code"
    await migrate_number(FIRST, somebody_at_the_phone=True, started_by="Ana", return_state=True)
    [position] = await environment.positions()
    assert (position.next_step, position.ready_how, position.ready_by) == (
        "verify_code",
        "prefect_form",
        "Ana (Prefect)",
    )
    async with environment.app() as app:
        await leave_phone(app, FIRST, "done", "Ana")
