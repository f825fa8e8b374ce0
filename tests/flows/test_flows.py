"""Each flow in this process, with Prefect's test server, a sandbox over HTTP and our own SQLite database."""

import json
from collections.abc import Awaitable
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import (
    ArtifactCollectionFilter,
    ArtifactCollectionFilterKey,
)
from prefect.client.schemas.objects import State, StateType

from flows.common import RequestedItinerary, run_in_task
from flows.enter_code import OVERWRITTEN, enter_code
from flows.migrate_number import migrate_number
from flows.preflight import preflight
from flows.run_wave import run_wave
from flows.sweep import sweep
from migration.operations.waves import begin_wave, hold_wave
from migration.steps.outcomes import Outcome
from state.enums import Party, Side, Status
from state.ledger.waves import NewWave
from tests.flows.marks import FLOWS_IN_THIS_PROCESS
from tests.harness.flow_environment import FlowEnvironment

pytestmark = FLOWS_IN_THIS_PROCESS

FIRST = "N-0001"


async def run_of(state: State[Any]) -> Any:
    assert state.state_details.flow_run_id is not None
    async with get_client() as client:
        return await client.read_flow_run(state.state_details.flow_run_id)


async def artifact(key: str) -> Any:
    """The newest artifact with this key, as Prefect's pages show it."""
    key_filter = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=[key]))
    async with get_client() as client:
        [newest] = await client.read_latest_artifacts(artifact_filter=key_filter)
    return newest


async def assert_fails_without_change(environment: FlowEnvironment, run: Awaitable[State[Any]], message: str) -> None:
    """The run fails with one line that has `message`; neither the sandbox nor our own database has changed."""
    database, writes = environment.database_dump(), await environment.sandbox_writes()
    state = await run
    assert state.type is StateType.FAILED
    assert message in (state.message or "")
    assert len((state.message or "").splitlines()) == 1
    assert "exception" not in (state.message or ""), "it was raised into Prefect, which logs tracebacks"
    assert (environment.database_dump(), await environment.sandbox_writes()) == (database, writes)


# -- migrate-number


async def test_one_number_moves_with_a_task_for_every_step(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
    assert [number["side"] for number in await environment.sandbox_numbers()] == ["cloud"]
    assert (await run_of(state)).name == f"migrate {FIRST}"


async def test_a_run_is_named_with_the_wave_of_its_number(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="Night, one")
    state = await migrate_number(FIRST, dry_run=True, return_state=True)
    assert (await run_of(state)).name == f"migrate {FIRST} of wave Night, one"


async def test_an_unknown_number_fails_with_one_line(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    await assert_fails_without_change(
        environment, migrate_number("N-9999", return_state=True), "there is no such number"
    )


async def test_a_dry_run_changes_nothing(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    state = await migrate_number(FIRST, dry_run=True, return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "DryRun")
    assert await environment.sandbox_writes() == []


async def test_parameters_that_contradict_each_other_are_refused_first(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    state = await migrate_number(FIRST, RequestedItinerary.CODE_FIRST, dry_run=True, return_state=True)
    assert state.type is StateType.FAILED
    assert state.message == "a dry run changes nothing, so it cannot change the itinerary; choose one of the two"
    assert await environment.sandbox_writes() == []


async def test_a_number_that_waits_for_a_code_has_not_failed(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", "--kinds", "no_backup", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.CANCELLED, "Waiting")
    [position] = await environment.positions()
    assert (position.status, position.waiting_on) == (Status.WAITING, Party.CUSTOMER)


async def test_a_blocked_number_is_not_completed(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", "--kinds", "business_app", wave="")
    state = await migrate_number(FIRST, return_state=True)
    assert (state.type, state.name) == (StateType.FAILED, "Blocked")
    assert "business-app" in (state.message or "")


# -- run-wave and sweep


async def test_a_wave_runs_a_task_for_each_number(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--kinds", "healthy,no_backup", "--numbers", "2")
    state = await run_wave("demo", patience_s=0, gate_min=0, started_by="Ana", return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "Unfinished")
    async with environment.app() as app:
        assert "Ana (Prefect)" in [event.by for event in await app.queries.waves.events("demo")]
    assert state.message == "1 of 2 numbers are at their end"
    assert (await run_of(state)).name == "wave demo"
    sides = {position.ref: position.side for position in await environment.positions()}
    assert sides == {FIRST: Side.CLOUD, "N-0002": Side.ON_PREMISES}
    key = await key_of(environment, "demo")
    assert (await artifact(key)).data == 50
    table = (await artifact(f"{key}-table")).data
    assert "N-0002" in table
    assert all(number["e164"] not in table for number in await environment.sandbox_numbers())


async def key_of(environment: FlowEnvironment, wave: str) -> str:
    async with environment.app() as app:
        return f"wave-{(await app.queries.waves.get(wave)).id}"


@pytest.mark.slow
async def test_the_parts_of_a_wave_share_their_artifacts(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "2")
    key = await key_of(environment, "demo")
    state = await run_wave("demo", part=1, parts=2, patience_s=0, gate_min=0, return_state=True)
    assert (state.name, state.message) == ("Unfinished", "1 of 2 numbers are at their end")
    assert (await run_of(state)).name == "wave demo part 2 of 2"
    first = await artifact(key)
    assert (first.data, first.description) == (50, "wave demo: 1 of 2 numbers are at their end")
    statuses = {row["number"].split()[0]: row["status"] for row in json.loads((await artifact(f"{key}-table")).data)}
    async with environment.app() as app:  # parts go by the order in which the import began the migrations
        board = sorted(await app.queries.positions.board(), key=lambda position: position.migration_id)
    assert [statuses[position.ref] for position in board] == ["ready", "done"]

    state = await run_wave("demo", part=0, parts=2, patience_s=0, gate_min=0, return_state=True)
    assert (state.name, state.message) == ("Completed", "2 of 2 numbers are at their end")
    second = await artifact(key)
    assert (second.data, second.description) == (100, "wave demo: 2 of 2 numbers are at their end")
    assert second.latest_id == first.latest_id
    assert [row["status"] for row in json.loads((await artifact(f"{key}-table")).data)] == ["done", "done"]


@pytest.mark.slow
async def test_two_waves_with_similar_names_have_separate_artifacts(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "2", wave="")
    async with environment.app() as app:
        for wave, position in zip(("Night one", "night-one"), await app.queries.positions.board(), strict=True):
            await app.ledger.waves.create(NewWave(wave), [position.migration_id])
    await run_wave("Night one", patience_s=0, gate_min=0, return_state=True)
    keys = [await key_of(environment, wave) for wave in ("Night one", "night-one")]
    assert len(set(keys)) == 2
    await run_wave("night-one", patience_s=0, gate_min=0, return_state=True)
    assert [(await artifact(key)).description for key in keys] == [
        "wave Night one: 1 of 1 numbers are at their end",
        "wave night-one: 1 of 1 numbers are at their end",
    ]


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        ("noon", "there is no wave noon"),
        ("bare", "wave bare is empty; `cutover plan bare --rule RULE` puts numbers into it"),
        ("demo", "wave demo is held: the customer asked; `cutover release demo` lets it go"),
    ],
)
async def test_a_wave_that_cannot_run_fails_with_one_line(
    environment: FlowEnvironment, wave: str, message: str
) -> None:
    await environment.start_and_import("--numbers", "1")
    async with environment.app() as app:
        await app.ledger.waves.create(NewWave("bare"), [])
        await hold_wave(app, "demo", "the customer asked")
    await assert_fails_without_change(environment, run_wave(wave, return_state=True), message)


async def test_a_part_that_does_not_exist_starts_nothing(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    state = await run_wave("demo", part=2, parts=2, return_state=True)
    assert state.message == "there is no part 2 of 2: parts are counted from 0; nothing was begun"
    async with environment.app() as app:
        assert (await app.queries.waves.get("demo")).state == "planned"


async def test_a_sweep_ignores_waves_that_were_not_started(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    state = await sweep(return_state=True)
    assert state.message == "nothing was due"
    assert await environment.sandbox_writes() == []


async def test_a_sweep_runs_due_numbers(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    async with environment.app() as app:
        await begin_wave(app, "demo")
    state = await sweep(patience_s=0, return_state=True)
    assert state.message == "1 numbers were due"
    assert (await run_of(state)).name == "sweep"
    assert [position.side for position in await environment.positions()] == [Side.CLOUD]


# -- enter-code


@pytest.mark.slow
async def test_a_code_is_stored_and_overwritten_in_prefects_record(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", "--kinds", "no_backup", wave="")
    await migrate_number(FIRST, return_state=True)
    [position] = await environment.positions()
    state = await enter_code(FIRST, await environment.newest_code(position.e164), return_state=True)
    assert state.type is StateType.COMPLETED
    run = await run_of(state)
    assert (run.name, run.parameters) == (
        f"enter code {FIRST}",
        {"number": FIRST, "code": OVERWRITTEN, "started_by": ""},
    )
    [position] = await environment.positions()
    assert position.status is Status.READY


@pytest.mark.slow
@pytest.mark.parametrize("number", ["+447700900123", "N-1", "", None, 7])
async def test_a_wrong_reference_is_overwritten_too(environment: FlowEnvironment, number: Any) -> None:
    state = await enter_code(number, "123456", return_state=True)
    assert state.type is StateType.FAILED
    run = await run_of(state)
    assert (run.name, run.parameters) == ("enter code", {"number": OVERWRITTEN, "code": OVERWRITTEN, "started_by": ""})
    assert "123456" not in run.model_dump_json()
    assert "447700900123" not in run.model_dump_json()


async def test_a_retried_run_does_not_enter_the_marker_as_a_code(environment: FlowEnvironment) -> None:
    state = await enter_code(FIRST, OVERWRITTEN, return_state=True)
    assert state.message == "the code of this run was taken when it first ran; start a new run with a new code"


@pytest.mark.slow
async def test_a_code_for_an_unknown_number_fails_with_one_line(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1", wave="")
    await assert_fails_without_change(
        environment, enter_code("N-9999", "123456", return_state=True), "there is no such number"
    )


# -- preflight


async def test_preflight_changes_nothing_and_counts_numbers_that_would_stop(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--kinds", "healthy,business_app", "--numbers", "2")
    state = await preflight("demo", return_state=True)
    assert (state.type, state.name) == (StateType.COMPLETED, "WouldStop")
    assert state.message == "1 of 2 numbers would go through"
    assert (await run_of(state)).name == "preflight demo"
    assert await environment.sandbox_writes() == []
    assert "N-0002" in (await artifact("preflight")).data


@pytest.mark.slow
async def test_preflight_of_every_number_is_named_so(environment: FlowEnvironment) -> None:
    await environment.start_and_import("--numbers", "1")
    assert (await run_of(await preflight(return_state=True))).name == "preflight all"


# -- errors


async def test_an_error_inside_a_task_is_raised() -> None:
    class Broken(Exception):
        pass

    async def work() -> Outcome:
        raise Broken("the key is wrong")

    @flow(retries=0)
    async def around() -> None:
        await run_in_task("move", FIRST, work)

    with pytest.raises(Broken):
        await around()
