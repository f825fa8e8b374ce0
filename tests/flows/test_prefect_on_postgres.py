"""Prefect's own server on PostgreSQL, our state beside it: a wave in two parts, and Prefect dies under it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.home.reader import open_reader
from state.enums import Side, Status
from state.rows import Position
from tests.harness.postgres import EMPTY, PostgresServer
from tests.harness.prefect_runs import last_event_is_stored, set_sweeps_active
from tests.harness.prefect_stack import PrefectStack
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.postgres]

WAVE = "night"
# The last one needs a code.
FLEET = """
world: closing
seed: 17
switches: {register_seconds: 2}
numbers: [{kind: healthy, count: 7}, {kind: no_backup}]
"""
NUMBERS = 8
PARTS = 2
FORM = "enter-code/enter-code"
WITHIN_S = 120


@pytest.fixture
def prefect_database(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a database of Prefect's own, without a single table."""
    name = postgres_server.new_database(EMPTY)
    yield name
    postgres_server.drop(name)


@pytest_asyncio.fixture
async def stack(
    postgres_url: str, postgres_server: PostgresServer, prefect_database: str, tmp_path: Path
) -> AsyncIterator[PrefectStack]:
    async with PrefectStack(tmp_path / "servers", postgres_url, postgres_server.url(prefect_database)) as stack:
        yield stack


async def test_a_wave_with_prefect_on_postgresql(
    stack: PrefectStack, postgres_server: PostgresServer, prefect_database: str, tmp_path: Path
) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    await stack.start_sandbox("--scenario", str(tmp_path / "fleet.yaml"))
    inventory = write_home(stack.home, stack.manifest, WAVE)
    await stack.cutover("init")
    await asyncio.gather(stack.start_prefect(), stack.cutover("import", str(inventory)))
    await stack.cutover("plan", WAVE, "--codes", "at-once")
    await stack.cutover("deploy")
    async with PrefectApi(stack.prefect_url) as api:
        await set_sweeps_active(api, active=False)
        await asyncio.gather(stack.start_worker("worker-1"), stack.start_worker("worker-2"))

        parts = await start_wave(api)
        await wait_for(lambda: is_crossing(stack), "the wave is in the middle", within_s=WITHIN_S)
        stack.kill_prefect()
        assert sum(1 for position in await board(stack) if position.ended_at is not None) < NUMBERS - 1
        await stack.start_prefect()
        assert [state for _, state in await final_states(api, parts)] == ["Unfinished"] * PARTS

        code = await code_of(stack)
        entered = await api.start(FORM, {"number": "N-0008", "code": code})
        assert [state for _, state in await final_states(api, [entered])] == ["Completed"]
        run = await api.run(entered)
        await wait_for(lambda: last_event_is_stored(api, run), "the run's events are stored", within_s=WITHIN_S)
        dump = await postgres_server.dump(prefect_database)
        assert "enter code N-0008" in dump, "this is not Prefect's database"
        secrets = [code, *(position.e164 for position in await board(stack))]
        assert [secret for secret in secrets if secret in dump] == []

        assert [state for _, state in await final_states(api, await start_wave(api))][-1] == "Completed"
        await assert_every_number_moved_once(stack)
        await assert_the_parts_share_their_artifacts(stack, api)


async def start_wave(api: PrefectApi) -> list[str]:
    parameters = {"wave": WAVE, "parts": PARTS, "patience_s": 20, "gate_min": 0}
    return [await api.start("run-wave/run-wave", parameters | {"part": part}) for part in range(PARTS)]


async def final_states(api: PrefectApi, runs: list[str]) -> list[tuple[str, str]]:
    """Name and state of each run once it has ended, in the order of their ends."""
    for run in runs:
        await wait_for(lambda run=run: api.has_ended(run), "a run has ended", within_s=WITHIN_S)  # type: ignore[misc]
    rows = sorted([await api.run(run) for run in runs], key=lambda row: row["end_time"])
    return [(row["name"], row["state"]["name"]) for row in rows]


# -- what is true


async def board(stack: PrefectStack) -> tuple[Position, ...]:
    async with open_reader(stack.settings) as home:
        return await home.queries.positions.board()


async def numbers(stack: PrefectStack) -> list[dict[str, Any]]:
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return await oracle.numbers()


async def is_crossing(stack: PrefectStack) -> bool:
    return any(number["registered"] for number in await numbers(stack))


async def code_of(stack: PrefectStack) -> str:
    async def newest_code() -> str | None:
        async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
            return await oracle.code((await board(stack))[-1].e164)

    return await wait_for(newest_code, "a code is on the phone", within_s=WITHIN_S)


async def assert_every_number_moved_once(stack: PrefectStack) -> None:
    assert Counter((position.side, position.status) for position in await board(stack)) == {
        (Side.CLOUD, Status.DONE): NUMBERS
    }
    truth = await numbers(stack)
    assert {number["side"] for number in truth} == {"cloud"}
    assert not any(number["double_effects"] or number["wrong_pins"] for number in truth)
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        registers = Counter(call["e164"] for call in await oracle.calls() if call["call"] == "register")
    assert registers == {number["e164"]: 1 for number in truth}


async def assert_the_parts_share_their_artifacts(stack: PrefectStack, api: PrefectApi) -> None:
    async with open_reader(stack.settings) as home:
        key = f"wave-{(await home.queries.waves.get(WAVE)).id}"
    artifacts = {artifact["key"]: artifact for artifact in await api.ask("POST", "/artifacts/latest/filter", {})}
    assert set(artifacts) == {key, f"{key}-table", f"{key}-waiting"}
    assert artifacts[key]["data"] == 100
    assert artifacts[f"{key}-table"]["data"].count('"done"') == NUMBERS
