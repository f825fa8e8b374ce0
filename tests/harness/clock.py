"""A clock that the test moves by hand."""

from datetime import UTC, datetime, timedelta

START = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER_SUNSET = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class FakeClock:
    """Implements `migration.clock.Clock`. `sleep` advances the clock and returns at once."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._boot = 1000.0

    def now(self) -> datetime:
        return self._now

    def boot(self) -> float:
        """Seconds since the machine started."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._boot += seconds
