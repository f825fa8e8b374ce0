"""What people do while a real Prefect server and its workers run: a way back, a hold, a release, a stop, a dead server.

One Prefect server for all tests, which build on each other. Times are the sandbox's own: when a call reached it.
"""

import asyncio
import itertools
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.home.reader import open_reader
from migration.runtime.process_tree import ChildProcess
from state.enums import Side, Status
from state.rows import Position
from tests.harness.prefect_runs import set_sweeps_active
from tests.harness.prefect_stack import PrefectStack, name_start_command
from tests.harness.waiting import wait_for
from tests.runbooks.pages import REPOSITORY, commands_in

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

NIGHT = "night"
# As the runbook pages call it.
WAVE = "WAVE"
FIRST = "N-0001"
IN_NIGHT = 11
IN_WAVE = 2
# One that has gone and comes back, and two waves; `register` takes long enough for a wave to be caught in the middle.
FLEET = f"""
world: open
seed: 5
switches: {{restore_registers: always, register_seconds: 2}}
numbers: [{{kind: verified, count: {1 + IN_NIGHT + IN_WAVE}}}]
"""
# What a hold, a release and a stop may take to be in force.
HEARD_WITHIN = timedelta(seconds=5)
# Seconds; the machine may be busy.
WITHIN_S = 120
SWEEP_EVERY = timedelta(minutes=1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[PrefectStack]:
    """A server without sweeps, a worker, and the fleet; no wave yet."""
    folder = tmp_path_factory.mktemp("by-hand")
    (folder / "fleet.yaml").write_text(FLEET)
    async with PrefectStack(folder / "servers") as made:
        await made.start_sandbox("--scenario", str(folder / "fleet.yaml"))
        inventory = write_home(made.home, made.manifest, "")
        name_start_command(made.home / "cutover.toml", inventory, str(made.manifest["sandbox_url"]))
        await made.cutover("init")
        await asyncio.gather(made.start_prefect(), made.cutover("import", str(inventory)))
        await made.cutover("deploy")
        async with PrefectApi(made.prefect_url) as api:
            await set_sweeps_active(api, active=False)
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def api(stack: PrefectStack) -> AsyncIterator[PrefectApi]:
    async with PrefectApi(stack.prefect_url) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def worker(stack: PrefectStack) -> ChildProcess:
    return await stack.start_worker("worker-1", limit=5)


async def wait_until(condition: Callable[[], Awaitable[bool]], what: str, within_s: float = WITHIN_S) -> None:
    await wait_for(condition, what, within_s=within_s)


async def ended(api: PrefectApi, run: str) -> dict[str, Any]:
    await wait_until(lambda: api.has_ended(run), "the run has ended")
    return await api.run(run)


# -- what is true


async def board(stack: PrefectStack, wave: str | None = None) -> dict[str, Position]:
    async with open_reader(stack.settings) as home:
        return {position.ref: position for position in await home.queries.positions.board(wave=wave)}


async def truth(stack: PrefectStack) -> dict[str, dict[str, Any]]:
    """What the sandbox knows of each number, by reference."""
    refs = {position.e164: ref for ref, position in (await board(stack)).items()}
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return {refs[number["e164"]]: number for number in await oracle.numbers()}


async def calls(stack: PrefectStack, ref: str) -> list[dict[str, Any]]:
    """Everything that was sent to change something about a number, in order."""
    e164 = (await board(stack))[ref].e164
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return [call for call in await oracle.calls() if call["e164"] == e164 and call["write"]]


async def crossings(
    stack: PrefectStack, since: datetime | None = None, refs: Collection[str] | None = None
) -> list[datetime]:
    """When `register` was sent for a number of the wave."""
    mine = {position.e164 for ref, position in (await board(stack, NIGHT)).items() if refs is None or ref in refs}
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        registers = [call for call in await oracle.calls() if call["call"] == "register" and call["e164"] in mine]
    times = [datetime.fromisoformat(call["at"]) for call in registers]
    return [time for time in times if since is None or time >= since]


# -- in this order


async def test_a_number_that_serves_from_cloud_goes_back(
    stack: PrefectStack, api: PrefectApi, worker: ChildProcess
) -> None:
    run = await ended(api, await api.start("migrate-number/migrate-number", {"number": FIRST}))
    assert (run["state"]["name"], run["name"]) == ("Completed", f"migrate {FIRST}")
    assert (await truth(stack))[FIRST]["side"] == "cloud"
    before = len(await calls(stack, FIRST))

    run = await ended(api, await api.start("back-to-onprem/back-to-onprem", {"number": FIRST, "confirm": FIRST}))
    assert (run["state"]["name"], run["name"]) == ("Completed", f"back to On-Premises {FIRST}"), run["state"]
    after = (await truth(stack))[FIRST]
    assert (after["side"], after["platform"], after["instance"]) == ("on_premises", "ON_PREMISE", "connected")
    assert (after["dark_since"], after["deregisters"], after["sends_to_dead_side"]) == (None, 1, 0)
    sent = [call["call"] for call in (await calls(stack, FIRST))[before:]]
    assert sent[:4] == ["pause_sends", "deregister", "command.start", "onprem.restore"]
    assert sent[-2:] == ["switch_route", "resume_sends"]
    position = (await board(stack))[FIRST]
    assert (position.itinerary, position.side, position.status) == ("BACK_TO_ONPREM", Side.ON_PREMISES, Status.DONE)


async def test_a_hold_outlives_its_worker_and_the_server(
    stack: PrefectStack, api: PrefectApi, worker: ChildProcess
) -> None:
    await stack.cutover(
        "plan", NIGHT, "--codes", "at-once", "--limit", str(IN_NIGHT), "--canary", "1", "--concurrency", "2"
    )
    await api.start("run-wave/run-wave", {"wave": NIGHT})
    await wait_until(lambda: at_the_gate(stack, IN_NIGHT), "all stand at the gate")
    assert await crossings(stack) == []
    await stack.cutover("release", NIGHT, "--canary")
    await wait_until(lambda: has_crossed(stack, 1), "the canary is across")

    await stack.cutover("hold", NIGHT, "--because", "the customer asked")
    assert "the customer asked" in await stack.cutover("status", NIGHT)
    worker.kill()
    await stack.restart_prefect()
    await stack.start_worker("worker-2", limit=5)
    run = await ended(api, await api.start("run-wave/run-wave", {"wave": NIGHT}))
    assert run["state_type"] == "FAILED"
    assert "wave night is held: the customer asked" in run["state"]["message"]
    assert len(await crossings(stack)) == 1


async def test_a_release_and_a_hold_are_heard_by_a_run_that_is_up(stack: PrefectStack, api: PrefectApi) -> None:
    await stack.cutover("release", NIGHT, "--canary")  # goes on, and no more of it crosses
    run = await api.start("run-wave/run-wave", {"wave": NIGHT})
    await wait_until(lambda: is_up(api, run), "the run is up")
    await asyncio.sleep(HEARD_WITHIN.total_seconds())
    assert len(await crossings(stack)) == 1, "the canary alone"

    released = datetime.now(UTC)
    await stack.cutover("release", NIGHT)
    await wait_until(lambda: has_crossed(stack, 3), "the rest begins to cross")
    took = min(await crossings(stack, since=released)) - released
    log.info("from `cutover release` to the first register: %.1f s", took.total_seconds())
    assert took <= HEARD_WITHIN

    await stack.cutover("hold", NIGHT)
    held = datetime.now(UTC)
    await nothing_crosses_after(stack, held + HEARD_WITHIN)
    assert not await api.has_ended(run), "it stays at the gate"


async def test_a_stop_is_heard_by_a_run_that_is_up(stack: PrefectStack, api: PrefectApi) -> None:
    before = len(await crossings(stack))
    await stack.cutover("release", NIGHT)
    await wait_until(lambda: has_crossed(stack, before + 1), "it goes on")
    await stack.cutover("stop", NIGHT, "--because", "enough", "--confirm", NIGHT)
    stopped = datetime.now(UTC)
    await nothing_crosses_after(stack, stopped + HEARD_WITHIN)

    run = (await runs(api, "run-wave"))[-1]
    assert (await ended(api, run["id"]))["state"]["name"] == "Unfinished"
    numbers = await truth(stack)
    sides = Counter(numbers[ref]["side"] for ref in await board(stack, NIGHT))
    crossed = len(await crossings(stack))
    assert sides == {"cloud": crossed, "on_premises": IN_NIGHT - crossed}
    assert 0 < crossed < IN_NIGHT


async def test_prefect_down(stack: PrefectStack, api: PrefectApi) -> None:
    """Each command of the page, and what its Check says, with a server that is gone and comes again."""
    await stack.cutover("plan", WAVE, "--codes", "at-once")
    stack.kill_prefect()
    lines = commands_in(REPOSITORY / "runbooks" / "prefect-down.md")
    assert lines == ["cutover status", f"cutover run {WAVE}", "cutover deploy", "cutover worker", "cutover sweep"]
    await stack.cutover("status")
    await stack.cutover("run", WAVE)
    numbers = await truth(stack)
    assert [numbers[ref]["side"] for ref in await board(stack, WAVE)] == ["cloud"] * IN_WAVE

    began = datetime.now(UTC)
    await stack.start_prefect()
    await stack.cutover("deploy")
    stack.open("worker-3", "worker")
    await stack.cutover("sweep")
    await set_sweeps_active(api, active=True)
    await wait_until(lambda: swept(api, began), "a sweep has run by itself", WITHIN_S)
    coming = [datetime.fromisoformat(run["expected_start_time"]) for run in await runs(api, "sweep", "SCHEDULED")]
    assert {later - earlier for earlier, later in itertools.pairwise(coming)} == {SWEEP_EVERY}
    rows = json.loads((await stack.cutover("status", "--json")).splitlines()[-1])["numbers"]
    assert [row["ref"] for row in rows if row["status"] in ("ready", "running") or row["dark_s"]] == []


# -- looking


async def at_the_gate(stack: PrefectStack, numbers: int) -> bool:
    return sum(1 for position in (await board(stack, NIGHT)).values() if position.status is Status.HELD) == numbers


async def has_crossed(stack: PrefectStack, numbers: int) -> bool:
    return len(await crossings(stack)) >= numbers


async def nothing_crosses_after(stack: PrefectStack, when: datetime) -> None:
    """Looked at for some seconds more; some of the wave is left."""
    await asyncio.sleep((when - datetime.now(UTC)).total_seconds() + 3)
    assert await crossings(stack, since=when) == []
    assert len(await crossings(stack)) < IN_NIGHT, "it could have gone on"


async def is_up(api: PrefectApi, run: str) -> bool:
    return str((await api.run(run))["state_type"]) == "RUNNING"


async def runs(api: PrefectApi, flow: str, state: str | None = None) -> list[dict[str, Any]]:
    """By when they are, or were, to start."""
    query: dict[str, Any] = {"flows": {"name": {"any_": [flow]}}, "sort": "EXPECTED_START_TIME_ASC"}
    if state is not None:
        query["flow_runs"] = {"state": {"type": {"any_": [state]}}}
    rows: list[dict[str, Any]] = await api.ask("POST", "/flow_runs/filter", query)
    return rows


async def swept(api: PrefectApi, since: datetime) -> bool:
    done = await runs(api, "sweep", "COMPLETED")
    return any(datetime.fromisoformat(run["start_time"]) >= since for run in done)
