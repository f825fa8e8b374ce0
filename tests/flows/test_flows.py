"""Each flow once in this process: Prefect's test harness, a sandbox over HTTP, our own SQLite."""

from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
)
from prefect.client.schemas.objects import State, StateType

from flows.common import Way, in_task
from flows.enter_code import GONE, enter_code
from flows.migrate_number import migrate_number
from flows.preflight import preflight
from flows.run_wave import run_wave
from flows.sweep import sweep
from migration.step import Outcome
from state.sides import Party, Side, Status
from tests.flows.conftest import Place

# One loop for all: Prefect keeps connections of its own between runs. It leaves some of them to the garbage collector.
pytestmark = [
    pytest.mark.usefixtures("harness", "swept"),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

FIRST = "N-0001"


async def run_of(state: State[Any]) -> Any:
    assert state.state_details.flow_run_id is not None
    async with get_client() as client:
        return await client.read_flow_run(state.state_details.flow_run_id)


async def artifact(key: str) -> Any:
    async with get_client() as client:
        found = await client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    return found[-1]


# -- migrate-number


async def test_one_number_moves_with_a_task_for_every_step(place: Place) -> None:
    await place.fill("--numbers", "1", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
    assert [one["side"] for one in await place.truth()] == ["cloud"]
    assert (await run_of(state)).name == f"migrate {FIRST}"


async def test_a_dry_run_changes_nothing(place: Place) -> None:
    await place.fill("--numbers", "1", wave="")
    state = await migrate_number(FIRST, dry_run=True, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "DryRun")
    assert await place.writes() == []


async def test_rules_over_several_fields_are_checked_first(place: Place) -> None:
    await place.fill("--numbers", "1", wave="")
    state = await migrate_number(FIRST, Way.CODE_FIRST, dry_run=True, return_state=True)
    assert state.type is StateType.FAILED
    with pytest.raises(ValueError, match="cannot change the itinerary"):
        await state.aresult()
    assert await place.writes() == []


async def test_a_number_that_waits_for_a_code_has_not_failed(place: Place) -> None:
    await place.fill("--numbers", "1", "--kinds", "no_backup", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Waiting")
    [at] = await place.board()
    assert (at.status, at.waiting_on) == (Status.WAITING, Party.CUSTOMER)


async def test_a_blocked_number_is_not_completed(place: Place) -> None:
    await place.fill("--numbers", "1", "--kinds", "business_app", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "Blocked")
    assert "business-app" in (state.message or "")


# -- run-wave and sweep


async def test_a_wave_is_a_task_a_number(place: Place) -> None:
    await place.fill("--kinds", "healthy,no_backup", "--numbers", "2")
    state = await run_wave("demo", patience_s=0, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Unfinished")
    assert state.message == "1 of 2 numbers are at their end"
    sides = {at.ref: at.side for at in await place.board()}
    assert sides == {FIRST: Side.CLOUD, "N-0002": Side.ON_PREMISES}
    table = (await artifact("wave-demo-0-table")).data
    assert "N-0002" in table
    assert all(one["e164"] not in table for one in await place.truth())


async def test_a_part_that_does_not_exist_begins_nothing(place: Place) -> None:
    await place.fill("--numbers", "1")
    state = await run_wave("demo", part=2, parts=2, return_state=True)
    with pytest.raises(ValueError, match="there is no part 2 of 2"):
        await state.aresult()
    async with place.app() as app:
        assert (await app.queries.wave("demo")).state == "planned"


async def test_a_sweep_leaves_waves_alone_that_nobody_began(place: Place) -> None:
    await place.fill("--numbers", "1")
    state = await sweep(return_state=True)
    assert state.message == "nothing was due"
    assert await place.writes() == []


async def test_a_sweep_takes_up_what_is_due(place: Place) -> None:
    from migration.actions import begin_wave

    await place.fill("--numbers", "1")
    async with place.app() as app:
        await begin_wave(app, "demo")
    state = await sweep(patience_s=0, return_state=True)
    assert state.message == "1 numbers were due"
    assert [at.side for at in await place.board()] == [Side.CLOUD]


# -- enter-code


async def test_a_code_is_stored_and_overwritten_in_prefects_record(place: Place) -> None:
    await place.fill("--numbers", "1", "--kinds", "no_backup", wave="")
    await migrate_number(FIRST, return_state=True)
    [at] = await place.board()
    state = await enter_code(FIRST, await place.code(at.e164), return_state=True)
    assert state.type is StateType.COMPLETED
    assert (await run_of(state)).parameters == {"number": FIRST, "code": GONE}
    [at] = await place.board()
    assert at.status is Status.READY


@pytest.mark.parametrize("number", ["+447700900123", "N-1", "", None, 7])
async def test_what_is_no_reference_is_overwritten_too(place: Place, number: Any) -> None:
    state = await enter_code(number, "123456", return_state=True)
    assert state.type is StateType.FAILED
    run = await run_of(state)
    assert run.parameters == {"number": GONE, "code": GONE}
    assert "123456" not in run.model_dump_json()
    assert "447700900123" not in run.model_dump_json()


async def test_a_run_that_is_retried_does_not_type_its_marker_in(place: Place) -> None:
    state = await enter_code(FIRST, GONE, return_state=True)
    with pytest.raises(ValueError, match="start a new run"):
        await state.aresult()


# -- preflight


async def test_preflight_reads_only(place: Place) -> None:
    await place.fill("--kinds", "healthy,business_app", "--numbers", "2")
    state = await preflight("demo", return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "WouldStop")
    assert state.message == "1 of 2 numbers would go through"
    assert await place.writes() == []
    assert "N-0002" in (await artifact("preflight")).data


# -- errors


async def test_an_error_inside_a_task_is_no_answer() -> None:
    class Broken(Exception):
        pass

    async def work() -> Outcome:
        raise Broken("the key is wrong")

    @flow(retries=0)
    async def around() -> None:
        await in_task("move", FIRST, work)

    with pytest.raises(Broken):
        await around()
