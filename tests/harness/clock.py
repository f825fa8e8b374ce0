"""Clocks that a test moves by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import BindParameter, ColumnElement

from state.types import UtcDateTime

START = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER_SUNSET = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class FakeClock:
    """Implements `migration.clock.Clock`. `sleep` advances the clock and returns at once."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._boot = 1000.0

    def now(self) -> datetime:
        return self._now

    def boot_time(self) -> float:
        """Seconds since the machine started."""
        return self._boot

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._boot += seconds


class _ReadAtRun(BindParameter[datetime]):
    """A class of its own, because classes are part of the key of a compiled statement.

    SQLAlchemy takes a parameter with a function for the same as one with a value. A statement that was compiled with a
    time, `due_by`, then served `due_now` too, and compared with NULL: no number was due any more.
    """

    inherit_cache = True


class FakeSqlClock:
    """Implements `state.types.SqlClock`: the time that `now` returns, in place of the database's own."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._made: dict[timedelta, ColumnElement[datetime]] = {}

    def now(self, plus: timedelta = timedelta()) -> ColumnElement[datetime]:
        if plus not in self._made:
            time = _ReadAtRun(None, callable_=lambda: self._now() + plus, type_=UtcDateTime(), unique=True)
            self._made[plus] = time
        return self._made[plus]
