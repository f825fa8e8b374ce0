"""Work that a loop begins from time to time and does not wait for, one pass at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from migration.clock import Clock


class BackgroundPass:
    """`every_s`: seconds from the beginning of one pass to the next, at least."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self._clock = clock
        self._every_s = every_s
        self._next = clock.boot_time()
        self._pass: asyncio.Future[None] | None = None

    def begin(self, work: Callable[[], Awaitable[None]]) -> None:
        """Does nothing while a pass is under way, or a short time after it."""
        now = self._clock.boot_time()
        if now < self._next or (self._pass is not None and not self._pass.done()):
            return
        self._next = now + self._every_s
        self._pass = asyncio.ensure_future(work())

    async def wait(self) -> None:
        """Until the pass that is under way has ended."""
        if self._pass is not None:
            await asyncio.wait({self._pass})
