"""Every flow on a real Prefect server with a process worker, started by the commands that an operator types."""

import asyncio
import json
import shlex
import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from flows.deployments import FLOWS
from migration.demo.prefect_api import PrefectApi
from migration.demo.servers import DemoServers
from state.enums import Side, Status, WaveState
from state.ledger.waves import NewWave
from tests.harness.flow_environment import FlowEnvironment
from tests.harness.prefect_runs import last_event_is_stored, set_sweeps_active
from tests.harness.waiting import wait_for
from tests.runbooks.pages import REPOSITORY, commands_in

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.asyncio(loop_scope="module")]

# Seconds: a run is picked up within two and needs as many again to import Prefect; the machine may be busy.
ENDS_WITHIN_S = 120
UNUSED_CODE = "907-531"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def environment(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> AsyncIterator[FlowEnvironment]:
    """A server, a worker, and four numbers: two healthy ones and two that need a code."""
    async with DemoServers(tmp_path_factory.mktemp("servers")) as servers:
        environment = FlowEnvironment(servers, sqlite_template)
        await environment.start_and_import("--numbers", "4", "--kinds", "healthy,no_backup", wave="")
        await servers.start_prefect()
        await servers.cutover("deploy")
        async with PrefectApi(servers.prefect_url) as api:
            await set_sweeps_active(api, active=False)
        await servers.start_worker("worker-1")
        yield environment


@pytest_asyncio.fixture(loop_scope="module")
async def api(environment: FlowEnvironment) -> AsyncIterator[PrefectApi]:
    async with PrefectApi(environment.stack.prefect_url) as client:
        yield client


async def ended(api: PrefectApi, deployment: str, **parameters: Any) -> dict[str, Any]:
    """Start a run on the worker and wait for its end."""
    run = await api.start(deployment, parameters)
    await wait_for(lambda: api.has_ended(run), "the run has ended", within_s=ENDS_WITHIN_S)
    return await api.run(run)


def state(run: dict[str, Any]) -> tuple[str, str]:
    return run["state_type"], run["state"]["name"]


def dump_prefect(environment: FlowEnvironment) -> str:
    """Every row of every table of Prefect's database, as text."""
    with sqlite3.connect(f"file:{environment.stack.folder}/prefect/prefect.db?mode=ro", uri=True) as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
        return "\n".join(str(row) for name in tables for row in database.execute(f'select * from "{name}"'))


async def test_a_healthy_number_moves(environment: FlowEnvironment, api: PrefectApi) -> None:
    run = await ended(api, "migrate-number/migrate-number", number="N-0001")
    assert state(run) == ("COMPLETED", "Completed")
    assert run["name"] == "migrate N-0001"
    assert {position.ref: position.side for position in await environment.positions()}["N-0001"] is Side.CLOUD


async def test_preflight(api: PrefectApi) -> None:
    run = await ended(api, "preflight/preflight")
    assert (run["state_type"], run["name"]) == ("COMPLETED", "preflight all")


async def test_a_wave_with_a_code_that_is_nowhere_in_prefects_database(
    environment: FlowEnvironment, api: PrefectApi
) -> None:
    async with environment.app() as app:
        board = {position.ref: position for position in await app.queries.positions.board()}
        wave = NewWave("night", window_start=datetime.now(UTC) - timedelta(minutes=1))
        await app.ledger.waves.create(wave, [board["N-0002"].migration_id, board["N-0003"].migration_id])
    run = await ended(api, "run-wave/run-wave", wave="night", patience_s=5, gate_min=0)
    assert state(run) == ("COMPLETED", "Unfinished")
    assert run["name"] == "wave night"

    code = await environment.newest_code(board["N-0002"].e164)
    run = await ended(api, "enter-code/enter-code", number="N-0002", code=code)
    assert (*state(run), run["name"]) == ("COMPLETED", "Completed", "enter code N-0002")
    await wait_for(lambda: last_event_is_stored(api, run), "the run's events are stored", within_s=ENDS_WITHIN_S)
    dump = dump_prefect(environment)
    assert "N-0002" in dump
    assert code not in dump
    assert all(position.e164 not in dump for position in board.values())

    run = await ended(api, "run-wave/run-wave", wave="night", patience_s=30, gate_min=0)
    assert state(run) == ("COMPLETED", "Completed")
    assert {position.ref: position.side for position in await environment.positions()}["N-0002"] is Side.CLOUD


async def test_a_sweep_comes_by_itself(environment: FlowEnvironment, api: PrefectApi) -> None:
    """Nobody starts it: the schedule that `cutover deploy` made does. It finds a number that somebody has begun."""
    async with environment.app() as app:
        await app.runner.run_step((await environment.positions())[3].migration_id)
    await set_sweeps_active(api, active=True)

    async def waits_for_a_code() -> bool:
        position = (await environment.positions())[3]
        return position.status is Status.WAITING and position.next_step == "verify_code"

    await wait_for(waits_for_a_code, "a sweep has asked for a code", within_s=ENDS_WITHIN_S)
    await set_sweeps_active(api, active=False)


async def test_a_run_that_crashed_starts_a_sweep_which_tells(environment: FlowEnvironment, api: PrefectApi) -> None:
    """Only Prefect sees it: no schedule of sweeps is active."""
    run_id = await _unfinished_run_of(api, "lost")
    body = {"deployments": {"name": {"any_": ["sweep"]}}, "flow_runs": {"tags": {"operator": "and_"}}}
    before = {run["id"] for run in await api.ask("POST", "/flow_runs/filter", body)}
    await api.ask("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    async def sweeps() -> bool:
        runs = [run for run in await api.ask("POST", "/flow_runs/filter", body) if run["id"] not in before]
        return any((run["created_by"] or {}).get("type") == "AUTOMATION" for run in runs)

    await wait_for(sweeps, "the automation has begun a sweep", within_s=ENDS_WITHIN_S)


async def schedules(api: PrefectApi, deployment: str) -> list[str]:
    schedules = (await api.ask("GET", f"/deployments/name/{deployment}"))["schedules"]
    return sorted(str(schedule["slug"]) for schedule in schedules)


async def test_schedules_come_and_go_with_the_waves(environment: FlowEnvironment, api: PrefectApi) -> None:
    async with environment.app() as app:
        board = await app.queries.positions.board()
        later = NewWave("later", window_start=datetime.now(UTC) + timedelta(days=2), time_zone="Asia/Kolkata")
        await app.ledger.waves.create(later, [board[3].migration_id])
        wave_id = (await app.queries.waves.get("later")).id
    document = json.loads((await environment.stack.cutover("deploy", "--json")).splitlines()[-1])
    assert [run["wave"] for run in document["wave_runs"]] == ["later"]
    (slug,) = await schedules(api, "run-wave/run-wave")
    assert slug.startswith(f"wave-{wave_id}-part-0-")
    assert slug.endswith("-Asia-Kolkata")
    assert await schedules(api, "sweep/sweep") == ["sweep"]
    async with environment.app() as app:
        await app.ledger.waves.set_state("later", WaveState.STOPPED, allowed=[WaveState.PLANNED])
    await environment.stack.cutover("deploy")
    assert await schedules(api, "run-wave/run-wave") == []
    async with environment.app() as app:
        await app.ledger.wave_moves.move([board[3].migration_id], None, "free for another wave", "tester")


async def test_a_deploy_runs_a_wave_whose_window_has_begun(environment: FlowEnvironment, api: PrefectApi) -> None:
    """Nobody was there at its start: no schedule would begin it any more."""
    async with environment.app() as app:
        board = await app.queries.positions.board()
        late = NewWave("late", window_start=datetime.now(UTC) - timedelta(minutes=5), time_zone="Asia/Kolkata")
        await app.ledger.waves.create(late, [board[3].migration_id])
    former = await _deployment_of_an_earlier_version(api)
    run_id = await _unfinished_run_of(api, "late")
    document = json.loads((await environment.stack.cutover("deploy", "--json")).splitlines()[-1])
    assert document["late_runs"] == []
    await api.ask("DELETE", f"/flow_runs/{run_id}")
    document = json.loads((await environment.stack.cutover("deploy", "--json")).splitlines()[-1])
    assert [run["wave"] for run in document["late_runs"]] == ["late"]
    assert former not in await _deployment_ids(api)

    async def has_begun() -> bool:
        async with environment.app() as app:
            return bool((await app.queries.waves.get("late")).state != WaveState.PLANNED)

    await wait_for(has_begun, "the late wave has begun", within_s=ENDS_WITHIN_S)


async def _unfinished_run_of(api: PrefectApi, wave: str) -> str:
    """A run of the wave that has not begun yet."""
    deployment_id = (await api.ask("GET", "/deployments/name/run-wave/run-wave"))["id"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": tomorrow}}
    body = {"parameters": {"wave": wave, "part": 0, "parts": 1}, "state": state}
    return str((await api.ask("POST", f"/deployments/{deployment_id}/create_flow_run", body))["id"])


async def _deployment_of_an_earlier_version(api: PrefectApi) -> str:
    """All deployments had one name, and this one's schedule would start a second sweep."""
    flow_id = (await api.ask("GET", "/deployments/name/sweep/sweep"))["flow_id"]
    body = {"name": "cutover", "flow_id": flow_id, "work_pool_name": "cutover"}
    return str((await api.ask("POST", "/deployments/", body))["id"])


async def _deployment_ids(api: PrefectApi) -> list[str]:
    return [str(row["id"]) for row in await api.ask("POST", "/deployments/filter", {})]


async def test_the_server_has_the_limits(api: PrefectApi) -> None:
    deployments = {flow: await api.ask("GET", f"/deployments/name/{flow}/{flow}") for flow in FLOWS}
    limits = {flow: (shown["global_concurrency_limit"] or {}).get("limit") for flow, shown in deployments.items()}
    expected = {"migrate-number": 10, "run-wave": None, "sweep": 1, "enter-code": None, "back-to-onprem": 10}
    assert limits == expected | {"preflight": 1} | dict.fromkeys(("hold", "release", "stop-wave"))
    options = {flow: shown["concurrency_options"] or {} for flow, shown in deployments.items()}
    strategies = {flow: option.get("collision_strategy") for flow, option in options.items()}
    assert {flow for flow, strategy in strategies.items() if strategy == "ENQUEUE"} == {
        "migrate-number",
        "back-to-onprem",
        "preflight",
    }
    assert strategies["sweep"] == "CANCEL_NEW"


async def test_a_second_sweep_is_cancelled_not_queued(api: PrefectApi) -> None:
    runs = [await api.start("sweep/sweep", {"patience_s": 0}) for _ in range(2)]
    for run in runs:
        await wait_for(lambda run=run: api.has_ended(run), "the sweep has ended", within_s=ENDS_WITHIN_S)  # type: ignore[misc]
    states = sorted([(await api.run(run))["state_type"] for run in runs])
    assert states == ["CANCELLED", "COMPLETED"]


async def test_a_code_whose_run_never_begins_goes_with_the_run(environment: FlowEnvironment, api: PrefectApi) -> None:
    """By the commands of docs/prefect.md."""
    deployment = await api.ask("GET", "/deployments/name/enter-code/enter-code")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    later = {"type": "SCHEDULED", "state_details": {"scheduled_time": tomorrow}}
    body = {"parameters": {"number": "N-0004", "code": UNUSED_CODE}, "state": later}
    run = (await api.ask("POST", f"/deployments/{deployment['id']}/create_flow_run", body))["id"]
    assert UNUSED_CODE in dump_prefect(environment)
    scheduled = await api.run(run)
    await wait_for(lambda: last_event_is_stored(api, scheduled), "the run's events are stored", within_s=ENDS_WITHIN_S)

    find, delete = commands_in(REPOSITORY / "docs" / "prefect.md")[-2:]
    assert run[:8] in await shell(environment, find)
    await shell(environment, delete.replace("RUN_ID", run))
    await wait_for(lambda: is_forgotten(environment), "Prefect has forgotten the code", within_s=ENDS_WITHIN_S)
    assert UNUSED_CODE not in dump_prefect(environment)


async def is_forgotten(environment: FlowEnvironment) -> bool:
    """Whether nothing of the deleted run is left; its log of events is cleared by a task of the server."""
    return UNUSED_CODE not in dump_prefect(environment)


async def shell(environment: FlowEnvironment, line: str) -> str:
    """Run a `prefect` command of our pages; gives its output."""
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
    dump = dump_prefect(environment)
    manifest = environment.stack.manifest
    secrets = [manifest[name] for name in ("token", "app_secret", "hook_secret")]
    secrets += [number["password"] for number in manifest["numbers"] if number["password"]]
    secrets.append((environment.stack.home / "master.key").read_text().strip())
    assert [secret for secret in secrets if secret in dump] == []


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
