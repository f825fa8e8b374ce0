"""A wave of 300 numbers that its schedule starts, on two workers. One of them is killed, and so is the Prefect server.

Prefect's own database is SQLite in both; tests/flows/test_prefect_on_postgres.py has it on PostgreSQL.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
import yaml

from migration.demo.partner_files import write_home
from migration.demo.prefect_api import PrefectApi
from migration.demo.sandbox_control import SandboxControl
from migration.home.reader import open_reader
from migration.runtime.process_tree import ChildProcess
from state.enums import Side, Status
from state.rows import Position
from tests.harness.prefect_stack import PrefectStack, write_scenario
from tests.harness.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.alone]

NUMBERS = 300
SEED = 2311
WAVE = "night"
ZONE = "America/Sao_Paulo"
# Until the schedule is due, beside some times what `cutover deploy` takes here now: two commands are typed meanwhile.
LEAD = timedelta(seconds=20)
DEPLOYS = 4
# Numbers that are across when the worker dies, and at least as many are not.
ENOUGH_MOVED = 60
# The fault that keeps a call from the far side, and the calls of one number's move; a PIN may be set anew.
CUT_OFF = ("register", "reset_before")
ONE_WORKERS = ["pause_sends", "register", "switch_route", "messages", "resume_sends", "command.stop"]
REPEATABLE = ("onprem.two_step",)
# Seconds; each is several times what it takes on two cores with nothing else to do.
BEGINS_WITHIN_S = 240
ENDS_WITHIN_S = 900


@pytest_asyncio.fixture
async def stack(database_url: str, tmp_path: Path) -> AsyncIterator[PrefectStack]:
    async with PrefectStack(tmp_path / "servers", database_url) as stack:
        yield stack


async def wait_until(condition: Callable[[], Awaitable[bool]], within_s: float, what: str) -> None:
    await wait_for(condition, what, within_s=within_s)


async def test_a_scheduled_wave_survives_a_worker_and_the_server(stack: PrefectStack, tmp_path: Path) -> None:
    await stack.start_sandbox("--scenario", str(write_scenario(tmp_path / "fleet.yaml", NUMBERS, SEED)))
    inventory = write_home(stack.home, stack.manifest, WAVE)
    await stack.cutover("init")
    await asyncio.gather(stack.start_prefect(), stack.cutover("import", str(inventory)))
    began = time.monotonic()
    await stack.cutover("deploy")  # makes the pool of the workers
    lead = LEAD + timedelta(seconds=DEPLOYS * (time.monotonic() - began))
    workers = await asyncio.gather(stack.start_worker("worker-1"), stack.start_worker("worker-2"))
    start = await scheduled(stack, lead)
    before = await holders(stack)
    assert before == set(), "nothing moves before the window"

    await wait_until(lambda: in_the_middle(stack), BEGINS_WITHIN_S, "the wave is in the middle")
    runs = await wave_runs(stack)
    assert {run["parameters"]["part"] for run in runs} == {0, 1}
    assert all(run["auto_scheduled"] for run in runs), "a schedule began them, and nobody else"
    shared = await holders(stack)
    assert len(shared) >= 2, "both workers are at it"
    workers[0].kill()
    await stack.restart_prefect()
    assert await left(stack) >= ENOUGH_MOVED

    await wait_until(lambda: goes_on_to_the_end(stack, workers[1]), ENDS_WITHIN_S, "the other worker goes on")
    await stack.cutover("run", WAVE, "--patience", "100")
    await the_wave_is_over(stack, tmp_path, start)


async def scheduled(stack: PrefectStack, lead: timedelta) -> datetime:
    """Give the wave a window that opens soon, and deploy it to Prefect. Returns when it opens."""
    start = (datetime.now(ZoneInfo(ZONE)) + lead).replace(microsecond=0)
    local = f"{start:%Y-%m-%d %H:%M:%S}"
    await stack.cutover("plan", WAVE, "--codes", "at-once", "--from", local, "--tz", ZONE, "--concurrency", "25")
    output = await stack.cutover("deploy")
    assert output.count("schedule ") == 2, output
    return start


# -- while it runs


async def in_the_middle(stack: PrefectStack) -> bool:
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        return sum(1 for number in await oracle.numbers() if number["registered"]) >= ENOUGH_MOVED


async def left(stack: PrefectStack) -> int:
    return sum(1 for position in await board(stack) if position.ended_at is None)


async def wave_runs(stack: PrefectStack) -> list[dict[str, Any]]:
    async with PrefectApi(stack.prefect_url) as api:
        query = {"flows": {"name": {"any_": ["run-wave"]}}}
        runs: list[dict[str, Any]] = await api.ask("POST", "/flow_runs/filter", query)
        return runs


async def goes_on_to_the_end(stack: PrefectStack, worker: ChildProcess) -> bool:
    """The run of the worker that was left alone has ended, as its new server sees it."""
    assert worker.is_running(), "the worker that was left alone lives on"
    return any(run["state_type"] == "COMPLETED" for run in await wave_runs(stack))


async def board(stack: PrefectStack) -> tuple[Position, ...]:
    async with open_reader(stack.settings) as home:
        return await home.queries.positions.board()


async def attempts(stack: PrefectStack) -> dict[str, Sequence[Mapping[str, Any]]]:
    async with open_reader(stack.settings) as home:
        return {
            position.ref: await home.queries.records.attempts(position.migration_id)
            for position in await home.queries.positions.board()
        }


async def holders(stack: PrefectStack) -> set[str]:
    return {row["holder"] for rows in (await attempts(stack)).values() for row in rows}


# -- when it is over


async def the_wave_is_over(stack: PrefectStack, tmp_path: Path, start: datetime) -> None:
    async with SandboxControl(str(stack.manifest["sandbox_url"])) as oracle:
        truth = {number["e164"]: number for number in await oracle.numbers()}
        calls = await oracle.calls()
    ours = await board(stack)
    assert Counter((position.status, position.side) for position in ours) == {(Status.DONE, Side.CLOUD): NUMBERS}
    assert {position.e164: position.side.value for position in ours} == {
        e164: number["side"] for e164, number in truth.items()
    }
    alone = await with_one_holder(stack)
    one_register_each(calls, truth, troubles(stack, tmp_path))
    nothing_was_sent_twice(calls, alone - set(troubles(stack, tmp_path)))
    assert [number for number in truth.values() if number["double_effects"] or number["wrong_pins"]] == []
    assert min(datetime.fromisoformat(call["at"]) for call in calls if call["call"] == "register") >= start
    never_two_at_once(await attempts(stack))


def troubles(stack: PrefectStack, tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Route and kind of the fault that a number met, by number."""
    rows = yaml.safe_load((tmp_path / "fleet.yaml").read_text())["numbers"]
    pairs = zip(stack.manifest["numbers"], rows, strict=True)
    return {
        number["e164"]: (row["faults"][0]["route"], row["faults"][0]["kind"])
        for number, row in pairs
        if "faults" in row
    }


async def with_one_holder(stack: PrefectStack) -> set[str]:
    """Numbers that one worker took from the first step to the last."""
    refs = {ref for ref, rows in (await attempts(stack)).items() if len({row["holder"] for row in rows}) == 1}
    return {position.e164 for position in await board(stack) if position.ref in refs}


def one_register_each(calls: Sequence[Mapping[str, Any]], numbers: Collection[str], met: Mapping[str, Any]) -> None:
    """Those that were refused or never heard of again are counted too: the far side counts them against the number."""
    sent = [call for call in calls if call["call"] == "register"]
    assert Counter(call["e164"] for call in sent if call["effect"]) == dict.fromkeys(numbers, 1)
    # What a cut connection kept from the far side had to be sent again, once.
    again = {e164 for e164, fault in met.items() if fault == CUT_OFF}
    assert Counter(call["e164"] for call in sent) == {e164: 2 if e164 in again else 1 for e164 in numbers}


def nothing_was_sent_twice(calls: Sequence[Mapping[str, Any]], numbers: Collection[str]) -> None:
    """The sandbox recorded for a number what a single worker sends, in its order, and nothing of a second one."""
    assert len(numbers) > NUMBERS / 2
    sent: dict[str, list[str]] = {e164: [] for e164 in numbers}
    for call in calls:
        got = sent.get(call["e164"])
        if got is None or not call["write"] or call["call"] in REPEATABLE:
            continue
        # A pause is renewed for as long as its number needs it.
        if call["call"] != "pause_sends" or got[-1:] != ["pause_sends"]:
            got.append(call["call"])
    assert {e164: got for e164, got in sent.items() if got != ONE_WORKERS} == {}


def never_two_at_once(histories: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """No holder's attempt at a number begins before another holder's attempt at it has ended."""
    for ref, rows in histories.items():
        for earlier, later in itertools.pairwise(rows):
            if earlier["holder"] != later["holder"]:
                assert earlier["ended_at"] is not None, ref
                assert earlier["ended_at"] <= later["opened_at"], ref
