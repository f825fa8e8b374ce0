"""What is dark goes first: how many numbers of this process cross at once, and how many others take a step meanwhile.

A number that has crossed or may be dark never waits here. One whose senders are paused, and which a side still serves,
waits for room before all others. A number passes its gate only while there is room among those that cross, and room for
those that will soon be back; a step before the gate waits while too many others take one. Both limits
follow from what is measured: where a task that is ready has to wait for the loop, or a write of a number that crosses
for its turn, they shrink; where neither does, they grow with every number and step that ends. So a worker on a busy
machine admits fewer, one with slow far sides more.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from migration.runtime.stop_request import StopRequest
from migration.runtime.waiting import unless_stopped
from state.queries.due import Crossing

# Seconds that a ready task may wait for the loop, and a write for its turn. Between a stop's effect and the first byte
# of `register` lie about five of the first and two of the second: together they must stay below a few tenths of one.
LONGEST_LAG_S, LONGEST_WRITE_WAIT_S = 0.05, 0.025
# A limit shrinks not more often than this: what was let in has to get through first.
SETTLES_IN_S = 0.25
# So many are let in at first, and always: where other programs keep the machine busy, fewer would help nobody.
LEAST_CROSSING, LEAST_OTHERS = 4.0, 8.0
SHRINKS_TO = 0.7
# For each place, so many numbers may be away for a moment with their senders paused. More would find the room full when
# they come back: far sides may take long, and the senders wait meanwhile.
SOON_BACK_A_PLACE = 3
# Seconds between two counts of what crosses at the hands of all workers. A number takes a few tenths of a second to
# cross: at one count a second the room that another worker had left stood empty most of the time.
COUNT_EVERY_S = 0.25


async def nothing_crosses() -> Crossing:
    """Of a worker that shares its database with nobody."""
    return Crossing(numbers=0, workers=0)


def no_write_waits() -> float:
    """Of a worker that writes nothing."""
    return 0.0


class _Limit:
    def __init__(self, least: float) -> None:
        self.least = self.most = least
        self.taken: set[int] = set()
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def has_room(self) -> bool:
        return len(self.taken) < int(self.most)

    def wake(self) -> None:
        """Let as many go on as there is room for; each looks again itself."""
        for _ in range(max(int(self.most) - len(self.taken), 0)):
            while self.waiting:
                turn = self.waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    break


class CrossingRoom:
    """Of one process. `boot_time` in seconds.

    `crossing_now`: what all workers of the database have across. They share one room: what this worker admits stands
    beside what the others have. Each may have its equal part of the room across, and one number at least, whatever the
    others do: a worker that had measured more room before the others began would leave them next to nothing.

    `write_lag`: seconds that writes of numbers that cross wait, each told once.
    """

    def __init__(
        self,
        boot_time: Callable[[], float],
        stop: StopRequest,
        crossing_now: Callable[[], Awaitable[Crossing]] = nothing_crosses,
        write_lag: Callable[[], float] = no_write_waits,
    ) -> None:
        self._boot_time = boot_time
        self._stop = stop
        self._crossing_now = crossing_now
        self._write_lag = write_lag
        self._elsewhere = Crossing(numbers=0, workers=0)  # what the others had when they were counted last
        self._counted_at = float("-inf")
        self._crossing, self._others = _Limit(LEAST_CROSSING), _Limit(LEAST_OTHERS)
        self._shrunk_at = float("-inf")
        self._resting: set[int] = set()  # they have left their places for a while
        self._soon_back: set[int] = set()  # of those, whose senders are paused until they have crossed

    @property
    def crossing(self) -> int:
        """How many numbers are past their gate now."""
        return len(self._crossing.taken)

    @property
    def most(self) -> int:
        """How many may be, as far as was measured."""
        return int(self._crossing.most)

    def is_crossing(self, migration_id: int) -> bool:
        return migration_id in self._crossing.taken

    def let_in(self, migration_id: int) -> None:
        """It crosses already, whatever the limit says."""
        was_away = migration_id in self._soon_back
        self._back(migration_id)
        self._crossing.taken.add(migration_id)
        if was_away:
            self._crossing.wake()  # one less will be back, so one more may pass its gate where there is room

    async def enter(self, migration_id: int, *, first: bool = False) -> bool:
        """Wait for room among those that cross; a request to stop ends the wait. Returns whether it had to wait.

        `first`: before all others that wait, because its senders are paused.
        """
        has_room = self._takes_back if first else self._lets_in
        waited = await self._wait(self._crossing, has_room, first=first)
        await self._count_others()
        while self._is_full_by_others() and not self._stop.requested:
            waited = True
            await unless_stopped(asyncio.sleep(COUNT_EVERY_S), self._stop)
            await self._wait(self._crossing, has_room, first=first)
            await self._count_others()
        self.let_in(migration_id)
        return waited

    async def _count_others(self) -> None:
        across = len(self._crossing.taken)
        if not across or self._boot_time() - self._counted_at < COUNT_EVERY_S:
            return
        self._counted_at = self._boot_time()
        everywhere = await self._crossing_now()
        self._elsewhere = Crossing(max(everywhere.numbers - across, 0), max(everywhere.workers - 1, 0))

    def _is_full_by_others(self) -> bool:
        across, most = len(self._crossing.taken), int(self._crossing.most)
        has_its_part = across >= max(most // (self._elsewhere.workers + 1), 1)
        return has_its_part and across + self._elsewhere.numbers >= most

    def _takes_back(self) -> bool:
        return self._crossing.has_room

    def _lets_in(self) -> bool:
        return self._crossing.has_room and len(self._soon_back) < SOON_BACK_A_PLACE * self.most

    def rest(self, migration_id: int, *, soon_back: bool = False) -> None:
        """It only lets time pass: its place is for another one meanwhile.

        `soon_back`: after a moment, and its senders are paused meanwhile.
        """
        if migration_id in self._crossing.taken:
            self._crossing.taken.discard(migration_id)
            self._resting.add(migration_id)
            if soon_back:
                self._soon_back.add(migration_id)
            self._crossing.wake()

    def _back(self, migration_id: int) -> None:
        self._resting.discard(migration_id)
        self._soon_back.discard(migration_id)

    def is_resting(self, migration_id: int) -> bool:
        return migration_id in self._resting

    def leave(self, migration_id: int) -> None:
        """The number's run has ended. There is more room where the loop had time for it."""
        self._back(migration_id)
        if migration_id in self._crossing.taken:
            self._crossing.taken.discard(migration_id)
            self._grow(self._crossing)
        else:
            self._crossing.wake()  # there may be room for one that waited until fewer would be back

    @asynccontextmanager
    async def other_step(self, migration_id: int) -> AsyncIterator[bool]:
        """Around steps of a number that does not cross yet. Yields whether it had to wait."""
        waited = await self._wait(self._others, lambda: self._others.has_room)
        self._others.taken.add(migration_id)
        try:
            yield waited
        finally:
            self._others.taken.discard(migration_id)
            self._grow(self._others)

    @property
    def is_crowded(self) -> bool:
        """Fewer numbers may take steps before their gate than do so now."""
        return len(self._others.taken) > int(self._others.most)

    async def measure(self) -> None:
        """How long a ready task waits for the loop, measured by waiting once, and how long writes have waited since."""
        began = self._boot_time()
        await asyncio.sleep(0)
        self.note_lag(self._boot_time() - began)
        self.note_lag(self._write_lag(), LONGEST_WRITE_WAIT_S)

    def note_lag(self, seconds: float, longest: float = LONGEST_LAG_S) -> None:
        now = self._boot_time()
        if seconds <= longest or now - self._shrunk_at < SETTLES_IN_S:
            return
        self._shrunk_at = now
        for limit in (self._crossing, self._others):
            limit.most = max(limit.least, min(limit.most, len(limit.taken) + 1) * SHRINKS_TO)

    def _grow(self, limit: _Limit) -> None:
        if self._boot_time() - self._shrunk_at >= SETTLES_IN_S:
            limit.most += 1
        limit.wake()

    async def _wait(self, limit: _Limit, has_room: Callable[[], bool], *, first: bool = False) -> bool:
        waited = False
        while not has_room() and not self._stop.requested:
            waited = True
            turn = asyncio.get_running_loop().create_future()
            (limit.waiting.appendleft if first else limit.waiting.append)(turn)
            try:
                await unless_stopped(turn, self._stop)
            except BaseException:
                limit.wake()  # the turn may have been given to one that is gone
                raise
        return waited
