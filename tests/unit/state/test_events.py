"""The history of a number: a row that was changed, taken out or put in shows, and where."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import delete, insert, select, update

from state.ledger.events import digest
from state.models import Event
from tests.harness.ledger_fixture import MINUTE, Town

Tampering = Callable[[Town, int], Awaitable[None]]


async def storied(town: Town) -> int:
    migration = await town.number()
    await town.spend(migration, times=2)
    return migration


async def changed(town: Town, **values: object) -> None:
    async with town.engine.begin() as tx:
        await tx.execute(update(Event).where(Event.seq == 2).values(**values))


async def test_a_history_that_nobody_touched_is_whole(town: Town) -> None:
    migration = await storied(town)
    assert [event.seq for event in await town.queries.events(migration)] == [1, 2, 3, 4, 5]
    assert await town.queries.broken_link(migration) is None


@pytest.mark.parametrize("what", ["facts", "kind", "at", "previous", "hash"])
async def test_a_changed_row_shows(town: Town, what: str) -> None:
    migration = await storied(town)
    new = {"facts": {"a": 1}, "kind": "other", "at": town.now + MINUTE, "previous": "1" * 64, "hash": "1" * 64}[what]
    await changed(town, **{what: new})
    assert await town.queries.broken_link(migration) == 2


async def test_a_row_changed_with_its_own_hash_shows_at_the_next(town: Town) -> None:
    migration = await storied(town)
    async with town.engine.begin() as tx:
        row = (await tx.execute(select(Event.__table__).where(Event.seq == 2))).one()
        told = digest(row.previous, migration, 2, row.at, "other", row.facts)
        await tx.execute(update(Event).where(Event.seq == 2).values(kind="other", hash=told))
    assert await town.queries.broken_link(migration) == 3


@pytest.mark.parametrize(("seq", "shows"), [(1, 2), (2, 3), (4, 5)])
async def test_a_removed_row_shows(town: Town, seq: int, shows: int) -> None:
    migration = await storied(town)
    async with town.engine.begin() as tx:
        await tx.execute(delete(Event).where(Event.seq == seq))
    assert await town.queries.broken_link(migration) == shows


async def test_a_row_put_in_shows(town: Town) -> None:
    migration = await storied(town)
    async with town.engine.begin() as tx:
        await tx.execute(
            insert(Event).values(
                migration_pk=migration, seq=6, at=town.now, kind="k", facts={}, previous="0" * 64, hash="0" * 64
            )
        )
    assert await town.queries.broken_link(migration) == 6


async def test_a_row_of_another_number_does_not_fit(town: Town) -> None:
    first, second = await storied(town), await town.number(2)
    async with town.engine.begin() as tx:
        await tx.execute(delete(Event).where(Event.migration_pk == second))
        row = (await tx.execute(select(Event.__table__).where(Event.migration_pk == first, Event.seq == 1))).mappings()
        await tx.execute(insert(Event).values({**row.one(), "id": 99, "migration_pk": second}))
    assert await town.queries.broken_link(second) == 1
    assert await town.queries.broken_link(first) is None
