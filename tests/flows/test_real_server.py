"""Every flow on a real Prefect server with a process worker, started by the commands that an operator types."""

import asyncio
import json
import shlex
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flows.deployments import FLOWS
from migration.demo.prefect_api import PrefectApi
from migration.demo.servers import DemoServers
from state.enums import Side, Status
from state.ledger.waves import NewWave
from tests.harness.flow_environment import FlowEnvironment
from tests.runbooks.pages import REPOSITORY, commands_in

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

# Seconds: a run is picked up within two and needs as many again to import Prefect; the machine may be busy.
ENDS_WITHIN_S = 120
TYPED_IN_VAIN = "907-531"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> AsyncIterator[FlowEnvironment]:
    """A server, a worker, and four numbers: two healthy ones and two that need a code."""
    async with DemoServers(tmp_path_factory.mktemp("house")) as house:
        there = FlowEnvironment(house, sqlite_template)
        await there.start_and_import("--numbers", "4", "--kinds", "healthy,no_backup", wave="")
        await house.start_prefect()
        await house.cutover("deploy")
        async with PrefectApi(house.prefect_url) as api:
            await let_sweeps_come(api, active=False)  # they would take the numbers from under the other tests
        await house.start_worker("worker-1")
        yield there


@pytest_asyncio.fixture(loop_scope="module")
async def api(environment: FlowEnvironment) -> AsyncIterator[PrefectApi]:
    async with PrefectApi(environment.stack.prefect_url) as made:
        yield made


async def ended(api: PrefectApi, deployment: str, **parameters: Any) -> dict[str, Any]:
    """Start a run on the worker and wait for its end."""
    run = await api.start(deployment, parameters)
    await becomes_true(lambda: api.has_ended(run))
    return await api.run(run)


async def becomes_true(asked: Callable[[], Awaitable[bool]]) -> None:
    until = asyncio.get_running_loop().time() + ENDS_WITHIN_S
    while not await asked():
        assert asyncio.get_running_loop().time() < until, "took too long"
        await asyncio.sleep(0.5)


async def let_sweeps_come(api: PrefectApi, *, active: bool) -> None:
    told = await api.ask("GET", "/deployments/name/sweep/cutover")
    for one in told["schedules"]:
        await api.ask("PATCH", f"/deployments/{told['id']}/schedules/{one['id']}", {"active": active})


def state(run: dict[str, Any]) -> tuple[str, str]:
    return run["state_type"], run["state"]["name"]


def prefect_says(environment: FlowEnvironment) -> str:
    """All that is in any table of Prefect's database."""
    with sqlite3.connect(f"file:{environment.stack.folder}/prefect/prefect.db?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(str(row) for name in tables for row in database.execute(f'select * from "{name}"'))


async def test_a_healthy_number_moves(environment: FlowEnvironment, api: PrefectApi) -> None:
    run = await ended(api, "migrate-number/cutover", number="N-0001")
    assert state(run) == ("COMPLETED", "Completed")
    assert run["name"] == "migrate N-0001"
    assert {position.ref: position.side for position in await environment.positions()}["N-0001"] is Side.CLOUD


async def test_preflight(api: PrefectApi) -> None:
    run = await ended(api, "preflight/cutover")
    assert (run["state_type"], run["name"]) == ("COMPLETED", "preflight all")


async def test_a_wave_with_a_code_that_is_nowhere_in_prefects_database(
    environment: FlowEnvironment, api: PrefectApi
) -> None:
    async with environment.app() as app:
        board = {at.ref: at for at in await app.queries.positions.board()}
        wave = NewWave("night", window_start=datetime.now(UTC) - timedelta(minutes=1))
        await app.ledger.waves.create(wave, [board["N-0002"].migration_id, board["N-0003"].migration_id])
    run = await ended(api, "run-wave/cutover", wave="night", patience_s=5, gate_min=0)
    assert state(run) == ("COMPLETED", "Unfinished")
    assert run["name"] == "wave night"

    code = await environment.newest_code(board["N-0002"].e164)
    run = await ended(api, "enter-code/cutover", number="N-0002", code=code)
    assert (*state(run), run["name"]) == ("COMPLETED", "Completed", "enter code N-0002")
    await asyncio.sleep(5)  # Prefect's own event log is written late; the promise is for five seconds after the run
    said = prefect_says(environment)
    assert "N-0002" in said
    assert code not in said
    assert all(at.e164 not in said for at in board.values())

    run = await ended(api, "run-wave/cutover", wave="night", patience_s=30, gate_min=0)
    assert state(run) == ("COMPLETED", "Completed")
    assert {position.ref: position.side for position in await environment.positions()}["N-0002"] is Side.CLOUD


async def test_a_sweep_comes_by_itself(environment: FlowEnvironment, api: PrefectApi) -> None:
    """Nobody starts it: the schedule that `cutover deploy` made does. It finds a number that somebody has begun."""
    async with environment.app() as app:
        await app.runner.run_step((await environment.positions())[3].migration_id)
    await let_sweeps_come(api, active=True)

    async def waits_for_a_code() -> bool:
        position = (await environment.positions())[3]
        return position.status is Status.WAITING and position.next_step == "verify_code"

    await becomes_true(waits_for_a_code)
    await let_sweeps_come(api, active=False)


async def schedules(api: PrefectApi, deployment: str) -> list[str]:
    told = await api.ask("GET", f"/deployments/name/{deployment}")
    return sorted(str(one["slug"]) for one in told["schedules"])


async def test_schedules_come_and_go_with_the_waves(environment: FlowEnvironment, api: PrefectApi) -> None:
    async with environment.app() as app:
        board = await app.queries.positions.board()
        later = NewWave("later", window_start=datetime.now(UTC) + timedelta(days=2), time_zone="Asia/Kolkata")
        await app.ledger.waves.create(later, [board[3].migration_id])
        wave_id = (await app.queries.waves.get("later")).id
    told = json.loads((await environment.stack.cutover("deploy", "--json")).splitlines()[-1])
    assert [one["wave"] for one in told["wave_runs"]] == ["later"]
    assert await schedules(api, "run-wave/cutover") == [f"wave-{wave_id}-part-0"]
    assert await schedules(api, "sweep/cutover") == ["sweep"]
    async with environment.app() as app:
        await app.ledger.waves.set_state("later", "stopped", allowed=["planned"])
    await environment.stack.cutover("deploy")
    assert await schedules(api, "run-wave/cutover") == []


async def test_the_server_has_the_limits(api: PrefectApi) -> None:
    there = {flow: await api.ask("GET", f"/deployments/name/{flow}/cutover") for flow in FLOWS}
    limits = {flow: (told["global_concurrency_limit"] or {}).get("limit") for flow, told in there.items()}
    wanted = {"migrate-number": 10, "run-wave": None, "sweep": 1, "enter-code": None, "back-to-onprem": 10}
    assert limits == wanted | {"preflight": 1}
    beyond = {flow: (told["concurrency_options"] or {}).get("collision_strategy") for flow, told in there.items()}
    assert {flow for flow, strategy in beyond.items() if strategy == "ENQUEUE"} == {
        "migrate-number",
        "back-to-onprem",
        "preflight",
    }
    assert beyond["sweep"] == "CANCEL_NEW"


async def test_a_second_sweep_is_cancelled_not_queued(api: PrefectApi) -> None:
    runs = [await api.start("sweep/cutover", {"patience_s": 0}) for _ in range(2)]
    for run in runs:
        await becomes_true(lambda run=run: api.has_ended(run))  # type: ignore[misc]
    states = sorted([(await api.run(run))["state_type"] for run in runs])
    assert states == ["CANCELLED", "COMPLETED"]


async def test_a_code_whose_run_never_begins_goes_with_the_run(environment: FlowEnvironment, api: PrefectApi) -> None:
    """By the commands of docs/prefect.md."""
    told = await api.ask("GET", "/deployments/name/enter-code/cutover")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": tomorrow}}
    body = {"parameters": {"number": "N-0004", "code": TYPED_IN_VAIN}, "state": later}
    run = (await api.ask("POST", f"/deployments/{told['id']}/create_flow_run", body))["id"]
    assert TYPED_IN_VAIN in prefect_says(environment)

    looking, deleting = commands_in(REPOSITORY / "docs" / "prefect.md")[-2:]
    assert run[:8] in await shell(environment, looking)
    await shell(environment, deleting.replace("RUN_ID", run))
    await asyncio.sleep(5)
    assert TYPED_IN_VAIN not in prefect_says(environment)


async def shell(environment: FlowEnvironment, line: str) -> str:
    """A `prefect` command of ours; gives what it said."""
    words = shlex.split(line)
    assert words[0] == "prefect"
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *words),
        env=environment.stack.env | {"COLUMNS": "250"},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    return out.decode()


async def test_no_secret_reaches_prefect(environment: FlowEnvironment) -> None:
    said = prefect_says(environment)
    manifest = environment.stack.manifest
    secrets = [manifest[name] for name in ("token", "app_secret", "hook_secret")]
    secrets += [one["password"] for one in manifest["numbers"] if one["password"]]
    secrets.append((environment.stack.home / "master.key").read_text().strip())
    assert [one for one in secrets if one in said] == []


async def test_a_prefect_that_does_not_answer_is_one_line(environment: FlowEnvironment) -> None:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "migration.cli", "deploy"),
        env=environment.stack.env | {"PREFECT_API_URL": "http://127.0.0.1:1/api"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await child.communicate()
    assert child.returncode == 1
    [line] = err.decode().splitlines()
    assert "does not answer" in line
