"""A run that is cancelled on Prefect's page, and a worker of Prefect's that gets SIGTERM: what has crossed is finished.

Nothing else crosses afterwards, and the next run goes on with what was left.
"""

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.home.reader import open_reader
from state.enums import Side, Status
from state.rows import Position
from tests.harness.prefect_stack import PrefectStack
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.servers]

NUMBERS = 40
WAVE = "night"
ENDS_WITHIN_S = 240


@pytest_asyncio.fixture
async def stack(sqlite_url: str, tmp_path: Path) -> AsyncIterator[PrefectStack]:
    async with PrefectStack(tmp_path / "servers", sqlite_url) as stack:
        yield stack


async def registered(stack: PrefectStack) -> set[str]:
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return {str(number["e164"]) for number in await oracle.numbers() if number["registered"]}


async def board(stack: PrefectStack) -> tuple[Position, ...]:
    async with open_reader(stack.settings) as home:
        return await home.queries.positions.board()


@pytest.mark.parametrize("how", ["the run is cancelled", "the worker gets SIGTERM"])
async def test_what_has_crossed_is_finished_and_nothing_else_crosses(
    stack: PrefectStack, tmp_path: Path, how: str
) -> None:
    scenario = {"world": "closing", "seed": 5, "switches": {"register_seconds": 2}, "numbers": [{"count": NUMBERS}]}
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(scenario))
    await stack.start_sandbox("--scenario", str(tmp_path / "fleet.yaml"))
    inventory = write_home(stack.home, stack.manifest, WAVE)
    await stack.cutover("init")
    await stack.cutover("import", str(inventory))
    await stack.start_prefect()
    await stack.cutover("deploy")
    worker = await stack.start_worker("worker-1")
    async with PrefectApi(stack.prefect_url) as api:
        run = await api.start("run-wave/run-wave", {"wave": WAVE, "patience_s": 5, "gate_min": 0})

        async def is_under_way() -> bool:
            return len(await registered(stack)) >= 3

        await wait_for(is_under_way, "the first numbers have crossed", within_s=ENDS_WITHIN_S)
        if how == "the run is cancelled":
            await api.ask("POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}, "force": False})
            await wait_for(lambda: api.has_ended(run), "the run has ended", within_s=ENDS_WITHIN_S)
            assert (await api.run(run))["state_type"] in ("CANCELLED", "CRASHED"), "as Prefect words it"
        else:
            os.kill(worker.pid, signal.SIGTERM)

            async def has_ended() -> bool:
                return not worker.is_running()

            await wait_for(has_ended, "the worker has ended", within_s=ENDS_WITHIN_S)
    crossed = await registered(stack)
    after = {position.e164: position for position in await board(stack)}
    assert 3 <= len(crossed) < NUMBERS, "it did not go on to the end"
    assert {after[e164].status for e164 in crossed} == {Status.DONE}
    assert {position.crossed_at for e164, position in after.items() if e164 not in crossed} == {None}
    assert all(position.worker_gone or position.lease_until is None for position in after.values())

    await stack.cutover("run", WAVE)
    assert {(position.status, position.side) for position in await board(stack)} == {(Status.DONE, Side.CLOUD)}
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        calls = [call for call in await oracle.calls() if call["call"] == "register"]
        assert [number for number in await oracle.numbers() if number["double_effects"]] == []
    assert len(calls) == NUMBERS
