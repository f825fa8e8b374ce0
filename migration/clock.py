"""The clock that is passed to everything that needs the time, so that tests can replace it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The time with time zone UTC."""

    def boot_time(self) -> float:
        """Seconds since the machine started.

        Counts while the machine is suspended, so a worker that continues sees that it is late.
        """

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def boot_time(self) -> float:
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
