"""A clock for many numbers in one loop: time passes only when every number that is being run sleeps."""

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from tests.harness.clock import FakeClock


class SharedClock(FakeClock):
    """With `FakeClock` the wait of one number would be an outage of all the others."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._running = 0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """A number is being run: time stands still until it sleeps or has ended."""
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1
            self._wake_next()

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        sleeper = (self.boot_time() + seconds, self._count, asyncio.Event())
        heapq.heappush(self._sleepers, sleeper)
        self._wake_next()
        try:
            await asyncio.sleep(0)  # as every sleep: a task that was made before it begins while this one sleeps
            await sleeper[2].wait()
        except asyncio.CancelledError:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)
                heapq.heapify(self._sleepers)
            raise

    def _wake_next(self) -> None:
        if not self._sleepers or len(self._sleepers) < self._running:
            return
        wakes_at, _, event = heapq.heappop(self._sleepers)
        self.advance(max(wakes_at - self.boot_time(), 0.0))
        event.set()
