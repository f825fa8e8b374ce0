"""Numbers of which it is not known what became of a call keep no other number from being moved."""

import asyncio
from datetime import datetime, timedelta

import pytest

from migration.operations.waves import begin_wave
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side
from state.ledger.waves import NewWave
from tests.harness.clock import FakeClock
from tests.harness.in_process import MakeHarness


class StandingClock:
    """Of a worker whose waits do not end before `goes_on` is set."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.goes_on = asyncio.Event()

    def now(self) -> datetime:
        return self._clock.now()

    def boot_time(self) -> float:
        return self._clock.boot_time()

    async def sleep(self, seconds: float) -> None:
        await self.goes_on.wait()
        await self._clock.sleep(seconds)


async def test_others_cross_while_it_is_not_known_what_register_did(make_harness: MakeHarness) -> None:
    """As many numbers stand at Meta as the wave moves at once; before, the others waited until all were settled."""
    harness = await make_harness(kinds=["healthy"] * 6, numbers_per_waba=1)
    clock = StandingClock(harness.clock)
    async with harness.worker(clock=clock) as app:
        board = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
        numbers = [position.migration_id for position in board]
        await app.ledger.waves.create(NewWave("north", concurrency=2), numbers)
        await begin_wave(app, "north")
        for position in board[:2]:
            harness.sandbox.faults.add(route="register", e164=position.e164, kind="reset_before", times=1)

        across: list[int] = []  # in each round

        async def go_on_when_others_are_across() -> None:
            positions = await app.queries.positions.board(wave="north")
            across.append(sum(position.side is Side.CLOUD for position in positions))
            if across[-1] == 4 or len(across) == 20:
                clock.goes_on.set()

        loop = WaveLoop(app, app.runner.run_one, concurrency=2, patience=timedelta(minutes=20))
        await loop.run(NumberSelection(wave="north"), go_on_when_others_are_across)
        after = await app.queries.positions.board(wave="north")
    assert 4 in across[:20]
    assert {position.side for position in after} == {Side.CLOUD}
    assert [harness.mutations(position).count("register") for position in board] == [1] * 6


@pytest.mark.slow
async def test_no_more_of_them_stand_at_meta_than_twice_what_the_wave_moves(make_harness: MakeHarness) -> None:
    """Where every `register` is unanswered, the next number would be out of service as well."""
    harness = await make_harness(kinds=["healthy"] * 4, numbers_per_waba=1)
    clock = StandingClock(harness.clock)
    harness.sandbox.faults.add(route="register", e164=None, kind="reset_before", times=4)
    async with harness.worker(clock=clock) as app:
        board = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
        await app.ledger.waves.create(NewWave("north", concurrency=1), [position.migration_id for position in board])
        await begin_wave(app, "north")
        begun: list[int] = []  # in each round

        async def go_on_after_some_rounds() -> None:
            begun.append(sum(call.call == "register" for call in harness.sandbox.world.calls))
            if len(begun) == 10:
                clock.goes_on.set()

        loop = WaveLoop(app, app.runner.run_one, concurrency=20, patience=timedelta(minutes=20))
        await loop.run(NumberSelection(wave="north"), go_on_after_some_rounds)
        after = await app.queries.positions.board(wave="north")
    assert max(begun[:10]) == 2
    assert {position.side for position in after} == {Side.CLOUD}
