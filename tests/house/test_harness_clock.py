"""The clock of tests and SQLAlchemy's cache of compiled statements."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine, literal, select

from state.types import UtcDateTime
from tests.harness.clock import START, FakeSqlClock


def test_a_statement_that_was_compiled_with_a_time_is_not_taken_for_one_with_the_clock() -> None:
    now = START
    clock = FakeSqlClock(lambda: now)
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        earlier = datetime(2020, 1, 1, tzinfo=UTC)
        assert connection.scalar(select(literal(earlier, UtcDateTime()))) == earlier
        assert connection.scalar(select(clock.now())) == now
        now += timedelta(seconds=5)
        assert connection.scalar(select(clock.now())) == now
    engine.dispose()
