"""One wave of 300 numbers with one of every trouble: each healthy number moves, each other one is named with a page."""

from datetime import timedelta
from itertools import pairwise

import httpx
import pytest

from migration.app import App
from migration.engine.runner import Busy
from migration.operations.waves import begin_wave
from migration.steps.outcomes import Outcome
from migration.steps.protocol import READS_LAG
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import WaveState
from state.ledger.waves import NewWave
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.shared_clock import SharedClock
from tests.harness.troubles import MOVED, TROUBLES, Change, Place, Trouble

NUMBERS = 301
PER_WABA = 10


def places() -> dict[int, Trouble]:
    """Spread over the fleet, so that each WABA has some; the last trouble is in a WABA of its own."""
    *spread, last = TROUBLES
    step = (NUMBERS - 1) // len(spread)
    return {at * step: trouble for at, trouble in enumerate(spread)} | {NUMBERS - 1: last}


def change_answers(harness: Harness) -> dict[tuple[str, str], Change]:
    changes: dict[tuple[str, str], Change] = {}

    async def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        for (part, end), of_one in changes.items():
            if part in request.url.path and request.url.path.endswith(end):
                return await of_one(request, response)
        return response

    harness.change_answer = change
    return changes


async def run_wave(app: App, clock: SharedClock) -> None:
    async def run_one(migration_id: int) -> Outcome | Busy:
        with clock.running():
            return await app.runner.run_one(migration_id)

    loop = WaveLoop(app, run_one, concurrency=40, patience=timedelta(minutes=20))
    await loop.run(NumberSelection(wave="north"))


@pytest.mark.slow
async def test_one_of_every_trouble_keeps_no_healthy_number_from_moving(make_harness: MakeHarness) -> None:
    troubles = places()
    kinds = [troubles[at].kind if at in troubles else "healthy" for at in range(NUMBERS)]
    harness = await make_harness(kinds=kinds, numbers_per_waba=PER_WABA, make_clock=SharedClock)
    assert isinstance(harness.clock, SharedClock)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        by_e164 = {position.e164: position for position in board}
        in_order = [by_e164.get(e164) for e164 in harness.sandbox.world.numbers]
        changes = change_answers(harness)
        troubled: dict[str, Trouble] = {}
        for at, trouble in troubles.items():
            position = in_order[at]
            assert position is not None, trouble.name
            # What is wrong with the customer is a trouble of all its numbers.
            concerned = [position] if not trouble.of_customer else [p for p in board if p.customer == position.customer]
            troubled = {each.e164: trouble for each in concerned} | troubled | {position.e164: trouble}
            await trouble.spoil(Place(harness, app, position, changes))
        await app.ledger.waves.create(NewWave("north", concurrency=40), [position.migration_id for position in board])
        await begin_wave(app, "north")
        await run_wave(app, harness.clock)
        after = {position.e164: position for position in await app.queries.positions.board()}
        wave = await app.queries.waves.get("north")
    assert wave.state is WaveState.RUNNING, wave.because
    assert {trouble.name: ends_of(after[e164]) for e164, trouble in troubled.items()} == {
        trouble.name: trouble.ends for trouble in troubled.values()
    }
    for e164, trouble in troubled.items():
        assert_named(after[e164], trouble)
    for e164, position in after.items():
        assert_registered_once(harness, position)
        if e164 not in troubled:
            assert_moved(harness, position)


def ends_of(position: Position) -> tuple[str, str]:
    return position.status.value, position.side.value


def assert_named(position: Position, trouble: Trouble) -> None:
    """A number that did not move says why, and what to read."""
    if trouble.ends[0] == "done":
        return
    assert position.reason, trouble.name
    page = (position.runbook or "").removeprefix("runbooks/").removesuffix(".md")
    assert page or trouble.ends[0] == "waiting", trouble.name
    assert trouble.page in ("", page), (trouble.name, page)


def assert_registered_once(harness: Harness, position: Position) -> None:
    """At most one register of a number had its effect, and no second one was sent before readings could show it."""
    registers = [call for call in harness.sandbox.world.calls if (call.call, call.e164) == ("register", position.e164)]
    assert harness.sandbox_number(position).double_effects == 0
    assert sum(call.effect for call in registers) <= 1
    assert all(later.at - earlier.at >= READS_LAG for earlier, later in pairwise(registers))


def assert_moved(harness: Harness, position: Position) -> None:
    """By the world's own record."""
    number = harness.sandbox_number(position)
    assert (ends_of(position), number.side) == (MOVED, "cloud"), (position.ref, position.reason)
    assert (number.registers, number.registered) == (1, 1)
    sender = number.sender
    assert (sender.running, sender.route, sender.lost, sender.to_dead_side) == (True, "cloud", 0, 0)
