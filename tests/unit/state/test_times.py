"""Times are stored and read as aware UTC times, and compare in the database as they do in Python."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import literal, select, update
from sqlalchemy.exc import StatementError

from state.models import MigrationTable
from state.types import UNREADABLE, DatabaseClock, UtcDateTime
from tests.harness.ledger_fixture import START, LedgerFixture

NAIVE = datetime(2025, 9, 1, 8, 0)  # noqa: DTZ001  naive on purpose


async def round_trip(fixture: LedgerFixture, value: datetime | None) -> datetime | None:
    await fixture.import_number()
    async with fixture.engine.begin() as tx:
        await tx.execute(update(MigrationTable).values(paused_at=value))
        return (await tx.execute(select(MigrationTable.paused_at))).scalar_one()


@pytest.mark.parametrize("value", [START, START + timedelta(microseconds=123456), None])
async def test_a_time_is_read_as_it_was_written(fixture: LedgerFixture, value: datetime | None) -> None:
    stored = await round_trip(fixture, value)
    assert stored == value
    assert stored is None or stored.tzinfo is UTC


@pytest.mark.parametrize("written", ["soon", "2026-13-45 00:00:00", "", 7, "2026-11-27T08:00:00Z and more"])
async def test_a_time_that_cannot_be_read_keeps_no_other_row_from_being_read(
    fixture: LedgerFixture, written: str | int
) -> None:
    """PostgreSQL takes none."""
    if fixture.engine.dialect.name != "sqlite":
        pytest.skip("its columns hold nothing but times")
    odd, sound = await fixture.import_number(1), await fixture.import_number(2)
    await fixture.sql("UPDATE number_migrations SET seen_at = :at WHERE id = :id", at=written, id=odd)
    board = {row.migration_id: row for row in await fixture.queries.positions.board()}
    assert board[odd].seen_at == UNREADABLE
    assert board[sound].created_at == START


async def test_a_time_of_another_zone_is_stored_as_the_same_moment(fixture: LedgerFixture) -> None:
    value = datetime(2025, 9, 1, 10, 0, tzinfo=timezone(timedelta(hours=2)))
    assert await round_trip(fixture, value) == value


async def test_a_naive_time_is_refused(fixture: LedgerFixture) -> None:
    with pytest.raises((StatementError, ValueError), match="naive"):
        await round_trip(fixture, NAIVE)
    async with fixture.engine.connect() as connection:
        with pytest.raises((StatementError, ValueError), match="naive"):
            await connection.execute(select(literal(NAIVE, UtcDateTime())))


async def test_the_databases_clock_gives_the_current_time_and_adds_offsets(fixture: LedgerFixture) -> None:
    clock = DatabaseClock()
    ahead, behind = timedelta(hours=1, milliseconds=250), timedelta(hours=-72)
    async with fixture.engine.connect() as connection:
        query = select(clock.now().label("now"), clock.now(ahead).label("ahead"), clock.now(behind).label("behind"))
        row = (await connection.execute(query)).one()
    assert row.now.tzinfo is UTC
    assert abs(row.now - datetime.now(UTC)) < timedelta(seconds=30)
    assert abs(row.ahead - row.now - ahead) < timedelta(seconds=1)
    assert abs(row.behind - row.now - behind) < timedelta(seconds=1)


async def test_the_databases_clock_can_be_compared_with_stored_times(fixture: LedgerFixture) -> None:
    now = datetime.now(UTC)
    clock = DatabaseClock()
    for offset, earlier in ((timedelta(minutes=-2), True), (timedelta(minutes=2), False)):
        async with fixture.engine.connect() as connection:
            result = await connection.execute(select(literal(now + offset, UtcDateTime()) < clock.now()))
            assert bool(result.scalar_one()) is earlier
