"""What the rounds of a wave ask: a large one is not listed anew with each number that ends."""

import asyncio
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from migration.waves.loop import ASKED_BELOW, ASKED_EVERY_S, NumberSelection, WaveLoop
from state.errors import DatabaseBusy
from state.queries.due import Due


class Fleet:
    """Due numbers, each of which ends as soon as it is begun."""

    def __init__(self, count: int) -> None:
        self.now, self.asked, self.begun = 0.0, 0, list[int]()
        self._due = list(range(1, count + 1))
        clock = SimpleNamespace(boot_time=lambda: self.now)
        due = SimpleNamespace(due_and_held=self._due_and_held)
        app: Any = SimpleNamespace(clock=clock, queries=SimpleNamespace(due=due))
        app.admin = SimpleNamespace(notify=(), heartbeat=None)
        app.runner = SimpleNamespace(waits_for_meta=0)
        self.loop = WaveLoop(app, self._run_one, concurrency=10, patience=None)  # type: ignore[arg-type]

    async def _due_and_held(self, *_: Any, **__: Any) -> Sequence[Due]:
        self.asked += 1
        return [Due(migration_id, held=False) for migration_id in self._due]

    async def _run_one(self, migration_id: int) -> None:
        self.begun.append(migration_id)
        self._due.remove(migration_id)

    async def round(self) -> None:
        await self.loop._begin_due(NumberSelection())
        await asyncio.gather(*self.loop._running.values())
        self.loop._running.clear()


async def test_a_large_wave_is_asked_for_twice_a_second_at_most() -> None:
    fleet = Fleet(100 * ASKED_BELOW)
    for _ in range(20):
        await fleet.round()
    assert (fleet.asked, fleet.begun) == (1, list(range(1, 201)))
    fleet.now += ASKED_EVERY_S
    await fleet.round()
    assert (fleet.asked, len(set(fleet.begun))) == (2, 210)


async def test_a_small_wave_is_asked_for_in_each_round() -> None:
    fleet = Fleet(ASKED_BELOW)
    for _ in range(5):
        await fleet.round()
    assert (fleet.asked, fleet.begun) == (5, list(range(1, ASKED_BELOW + 1)))


async def test_each_number_is_begun_once_to_the_last() -> None:
    fleet = Fleet(3 * ASKED_BELOW)
    for _ in range(100):
        await fleet.round()
    assert fleet.begun == list(range(1, 3 * ASKED_BELOW + 1))


async def test_a_round_that_meets_a_lock_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    """As on PostgreSQL, where somebody keeps a table locked for longer than a statement waits."""
    fleet = Fleet(3)
    answers: Iterator[Any] = iter([DatabaseBusy("another writer held a row or table"), DatabaseBusy("the same"), True])

    async def make_round(*_: Any) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return bool(answer)

    async def pause(seconds: float) -> None:
        fleet.now += seconds

    async def nothing(*_: Any) -> None:
        return None

    loop: Any = fleet.loop
    app = loop._app
    app.stop, app.clock.sleep = SimpleNamespace(requested=False), pause
    loop._round, loop._finish = make_round, nothing
    await loop.run(NumberSelection())
    assert next(answers, None) is None
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "another writer held a row or table"
    ]
