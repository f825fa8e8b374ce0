"""The history of a number: a row that was changed, taken out or put in shows, and where."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, insert, select, update

from state.ledger.events import digest
from state.models import Event
from tests.harness.ledger_fixture import MINUTE, LedgerFixture

Tampering = Callable[[LedgerFixture, int], Awaitable[None]]


async def storied(fixture: LedgerFixture) -> int:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration, times=2)
    return migration


async def changed(fixture: LedgerFixture, **values: object) -> None:
    async with fixture.engine.begin() as tx:
        await tx.execute(update(Event).where(Event.seq == 2).values(**values))


async def test_a_history_that_nobody_touched_is_whole(fixture: LedgerFixture) -> None:
    migration = await storied(fixture)
    assert [event.seq for event in await fixture.queries.records.events(migration)] == [1, 2, 3, 4, 5]
    assert await fixture.queries.records.broken_link(migration) is None


@pytest.mark.parametrize("what", ["facts", "kind", "at", "previous", "hash"])
async def test_a_changed_row_shows(fixture: LedgerFixture, what: str) -> None:
    migration = await storied(fixture)
    new = {"facts": {"a": 1}, "kind": "other", "at": fixture.now + MINUTE, "previous": "1" * 64, "hash": "1" * 64}[what]
    await changed(fixture, **{what: new})
    assert await fixture.queries.records.broken_link(migration) == 2


async def test_a_row_changed_with_its_own_hash_shows_at_the_next(fixture: LedgerFixture) -> None:
    migration = await storied(fixture)
    async with fixture.engine.begin() as tx:
        row = (await tx.execute(select(Event.__table__).where(Event.seq == 2))).one()
        told = digest(row.previous, migration, 2, row.at, "other", row.facts)
        await tx.execute(update(Event).where(Event.seq == 2).values(kind="other", hash=told))
    assert await fixture.queries.records.broken_link(migration) == 3


@pytest.mark.parametrize(("seq", "shows"), [(1, 2), (2, 3), (4, 5)])
async def test_a_removed_row_shows(fixture: LedgerFixture, seq: int, shows: int) -> None:
    migration = await storied(fixture)
    async with fixture.engine.begin() as tx:
        await tx.execute(delete(Event).where(Event.seq == seq))
    assert await fixture.queries.records.broken_link(migration) == shows


async def test_a_row_put_in_shows(fixture: LedgerFixture) -> None:
    migration = await storied(fixture)
    async with fixture.engine.begin() as tx:
        await tx.execute(
            insert(Event).values(
                migration_pk=migration, seq=6, at=fixture.now, kind="k", facts={}, previous="0" * 64, hash="0" * 64
            )
        )
    assert await fixture.queries.records.broken_link(migration) == 6


async def test_a_row_of_another_number_does_not_fit(fixture: LedgerFixture) -> None:
    first, second = await storied(fixture), await fixture.import_number(2)
    async with fixture.engine.begin() as tx:
        await tx.execute(delete(Event).where(Event.migration_pk == second))
        row = (await tx.execute(select(Event.__table__).where(Event.migration_pk == first, Event.seq == 1))).mappings()
        await tx.execute(insert(Event).values({**row.one(), "id": 99, "migration_pk": second}))
    assert await fixture.queries.records.broken_link(second) == 1
    assert await fixture.queries.records.broken_link(first) is None
