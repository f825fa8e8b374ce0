"""Prefect's own server on PostgreSQL, our state beside it: a wave in two parts, and Prefect dies under it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from migration.app import open_app
from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from state.enums import Side, Status
from state.rows import Position
from tests.harness.postgres import EMPTY, PostgresServer
from tests.harness.prefect_stack import PrefectStack

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

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
FORM = "enter-code/cutover"
WITHIN_S = 120
FORGOTTEN_AFTER_S = 5


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
    async with PrefectStack(tmp_path / "house", postgres_url, postgres_server.url(prefect_database)) as made:
        yield made


async def becomes_true(asked: Callable[[], Awaitable[bool]], what: str) -> None:
    until = asyncio.get_running_loop().time() + WITHIN_S
    while not await asked():
        assert asyncio.get_running_loop().time() < until, f"{what}: not within {WITHIN_S} s"
        await asyncio.sleep(0.5)


async def test_a_wave_with_prefect_on_postgresql(
    stack: PrefectStack, postgres_server: PostgresServer, prefect_database: str, tmp_path: Path
) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    await stack.start_sandbox("--scenario", str(tmp_path / "fleet.yaml"))
    inventory = write_home(stack.home, stack.manifest, WAVE)
    await stack.cutover("init")
    await asyncio.gather(stack.start_prefect(), stack.cutover("import", str(inventory)))
    await stack.cutover("deploy")
    async with PrefectApi(stack.prefect_url) as api:
        await stop_sweeps(api)
        await asyncio.gather(stack.start_worker("worker-1"), stack.start_worker("worker-2"))

        parts = await started(api)
        await becomes_true(lambda: is_crossing(stack), "the wave is in the middle")
        stack.kill_prefect()
        assert sum(1 for position in await board(stack) if position.ended_at is not None) < NUMBERS - 1
        await stack.start_prefect()
        assert [state for _, state in await told(api, parts)] == ["Unfinished"] * PARTS

        code = await code_of(stack)
        [(_, typed)] = await told(api, [await api.start(FORM, {"number": "N-0008", "code": code})])
        assert typed == "Completed"
        await asyncio.sleep(FORGOTTEN_AFTER_S)
        said = await postgres_server.dump(prefect_database)
        assert "enter code N-0008" in said, "it is Prefect's database that was looked through"
        assert [one for one in [code, *(position.e164 for position in await board(stack))] if one in said] == []

        assert [state for _, state in await told(api, await started(api))][-1] == "Completed"
        await the_wave_is_over(stack)
        await the_parts_share_their_pictures(stack, api)


async def stop_sweeps(api: PrefectApi) -> None:
    deployment = await api.ask("GET", "/deployments/name/sweep/cutover")
    for one in deployment["schedules"]:
        await api.ask("PATCH", f"/deployments/{deployment['id']}/schedules/{one['id']}", {"active": False})


async def started(api: PrefectApi) -> list[str]:
    how = {"wave": WAVE, "parts": PARTS, "patience_s": 20, "gate_min": 0}
    return [await api.start("run-wave/cutover", how | {"part": part}) for part in range(PARTS)]


async def told(api: PrefectApi, runs: list[str]) -> list[tuple[str, str]]:
    """Name and state of each, once it has ended, by when they ended."""
    for run in runs:
        await becomes_true(lambda run=run: api.has_ended(run), "a run has ended")  # type: ignore[misc]
    rows = sorted([await api.run(run) for run in runs], key=lambda row: row["end_time"])
    return [(row["name"], row["state"]["name"]) for row in rows]


# -- what is true


async def board(stack: PrefectStack) -> tuple[Position, ...]:
    async with open_app(stack.settings) as app:
        return await app.queries.positions.board()


async def numbers(stack: PrefectStack) -> list[dict[str, Any]]:
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return await oracle.numbers()


async def is_crossing(stack: PrefectStack) -> bool:
    return any(one["registered"] for one in await numbers(stack))


async def code_of(stack: PrefectStack) -> str:
    found: list[str] = []

    async def has_come() -> bool:
        async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
            found[:] = filter(None, [await oracle.code((await board(stack))[-1].e164)])
        return bool(found)

    await becomes_true(has_come, "a code is on the phone")
    return found[0]


async def the_wave_is_over(stack: PrefectStack) -> None:
    assert Counter((position.side, position.status) for position in await board(stack)) == {
        (Side.CLOUD, Status.DONE): NUMBERS
    }
    truth = await numbers(stack)
    assert {one["side"] for one in truth} == {"cloud"}
    assert not any(one["double_effects"] or one["wrong_pins"] for one in truth)
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        registers = Counter(one["e164"] for one in await oracle.calls() if one["call"] == "register")
    assert registers == {one["e164"]: 1 for one in truth}


async def the_parts_share_their_pictures(stack: PrefectStack, api: PrefectApi) -> None:
    async with open_app(stack.settings) as app:
        key = f"wave-{(await app.queries.waves.get(WAVE)).id}"
    shown = {one["key"]: one for one in await api.ask("POST", "/artifacts/latest/filter", {})}
    assert set(shown) == {key, f"{key}-table"}
    assert shown[key]["data"] == 100
    assert shown[f"{key}-table"]["data"].count('"done"') == NUMBERS
