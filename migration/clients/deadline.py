"""The end of a call, on the boot-time clock: everything that a call does is cut there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# asyncio's own timers stand still while the machine is suspended. So the boot-time clock is read this often.
LOOK_EVERY_S = 1.0


class PastDeadline(TimeoutError):
    """The call's time had passed before it began."""


@asynccontextmanager
async def cut_at(deadline: float, boot_time: Callable[[], float]) -> AsyncIterator[None]:
    """Cancels the body at `deadline` (seconds on the boot-time clock).

    Raises TimeoutError then, and PastDeadline where it has passed already.
    """
    left = deadline - boot_time()
    if left <= 0:
        raise PastDeadline
    async with asyncio.timeout(left) as scope:
        watch = _Watch(scope, deadline, boot_time)
        try:
            yield
        finally:
            watch.end()


class _Watch:
    """Brings the end of the scope forward where the machine was suspended."""

    def __init__(self, scope: asyncio.Timeout, deadline: float, boot_time: Callable[[], float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._scope = scope
        self._deadline = deadline
        self._boot_time = boot_time
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        when = self._scope.when()
        if self._scope.expired() or when is None:
            return
        due = self._loop.time() + max(self._deadline - self._boot_time(), 0.0)
        if due < when:
            self._scope.reschedule(due)
        self._timer = self._loop.call_later(LOOK_EVERY_S, self._look)

    def end(self) -> None:
        self._timer.cancel()
