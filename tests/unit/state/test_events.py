"""The hash chain of a number's events: a row that was changed, removed or inserted is detected, with its place."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.ledger.events import digest
from state.models import EventTable
from state.triggers import without_triggers
from tests.harness.ledger_fixture import MINUTE, LedgerFixture


async def migration_with_events(fixture: LedgerFixture) -> int:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration, times=2)
    return migration


@asynccontextmanager
async def tampering(fixture: LedgerFixture) -> AsyncIterator[AsyncConnection]:
    """As somebody who takes the triggers away and leaves the head of the chain as it is."""
    async with fixture.engine.begin() as tx:
        stack = ExitStack()
        await tx.run_sync(lambda sync: stack.enter_context(without_triggers(sync)))
        yield tx
        await tx.run_sync(lambda _sync: stack.close())


async def change_second_event(fixture: LedgerFixture, **values: object) -> None:
    async with tampering(fixture) as tx:
        await tx.execute(update(EventTable).where(EventTable.seq == 2).values(**values))


async def test_an_untouched_chain_is_whole(fixture: LedgerFixture) -> None:
    migration = await migration_with_events(fixture)
    assert [event.seq for event in await fixture.queries.records.events(migration)] == [1, 2, 3, 4, 5]
    assert await fixture.queries.records.broken_link(migration) is None


@pytest.mark.parametrize("column", ["facts", "kind", "at", "previous", "hash"])
async def test_a_changed_column_is_detected(fixture: LedgerFixture, column: str) -> None:
    migration = await migration_with_events(fixture)
    new_value = {
        "facts": {"a": 1},
        "kind": "other",
        "at": fixture.now + MINUTE,
        "previous": "1" * 64,
        "hash": "1" * 64,
    }[column]
    await change_second_event(fixture, **{column: new_value})
    assert await fixture.queries.records.broken_link(migration) == 2


async def test_a_row_changed_together_with_its_hash_is_detected_at_the_next_row(fixture: LedgerFixture) -> None:
    migration = await migration_with_events(fixture)
    async with tampering(fixture) as tx:
        row = (await tx.execute(select(EventTable.__table__).where(EventTable.seq == 2))).one()
        new_hash = digest(None, row.previous, migration, 2, row.at, "other", row.facts)
        await tx.execute(update(EventTable).where(EventTable.seq == 2).values(kind="other", hash=new_hash))
    assert await fixture.queries.records.broken_link(migration) == 3


@pytest.mark.parametrize(("seq", "broken"), [(1, 2), (2, 3), (4, 5)])
async def test_a_removed_row_is_detected(fixture: LedgerFixture, seq: int, broken: int) -> None:
    migration = await migration_with_events(fixture)
    async with tampering(fixture) as tx:
        await tx.execute(delete(EventTable).where(EventTable.seq == seq))
    assert await fixture.queries.records.broken_link(migration) == broken


async def test_an_inserted_row_is_detected(fixture: LedgerFixture) -> None:
    migration = await migration_with_events(fixture)
    async with tampering(fixture) as tx:
        await tx.execute(
            insert(EventTable).values(
                migration_pk=migration, seq=6, at=fixture.now, kind="k", facts={}, previous="0" * 64, hash="0" * 64
            )
        )
    assert await fixture.queries.records.broken_link(migration) == 6


async def test_a_row_of_another_number_is_detected(fixture: LedgerFixture) -> None:
    first, second = await migration_with_events(fixture), await fixture.import_number(2)
    async with tampering(fixture) as tx:
        await tx.execute(delete(EventTable).where(EventTable.migration_pk == second))
        row = (
            await tx.execute(select(EventTable.__table__).where(EventTable.migration_pk == first, EventTable.seq == 1))
        ).mappings()
        await tx.execute(insert(EventTable).values({**row.one(), "id": 99, "migration_pk": second}))
    assert await fixture.queries.records.broken_link(second) == 1
    assert await fixture.queries.records.broken_link(first) is None


# -- the end of a long history


async def test_the_last_events_are_those_at_the_end(fixture: LedgerFixture) -> None:
    migration = await migration_with_events(fixture)
    records = fixture.queries.records
    everything = await records.events(migration)
    assert await records.events(migration, 2) == everything[-2:]
    assert await records.events(migration, 99) == everything
    assert [await records.broken_link(migration, last) for last in (1, 2, 5, 99)] == [None] * 4


@pytest.mark.parametrize(("last", "broken"), [(1, None), (2, None), (4, 2), (5, 2)])
async def test_a_change_is_found_where_it_is_among_the_last(
    fixture: LedgerFixture, last: int, broken: int | None
) -> None:
    """The second of five events."""
    migration = await migration_with_events(fixture)
    await change_second_event(fixture, kind="other")
    assert await fixture.queries.records.broken_link(migration, last) == broken


async def test_the_link_to_an_earlier_event_that_was_removed_is_broken(fixture: LedgerFixture) -> None:
    migration = await migration_with_events(fixture)
    async with tampering(fixture) as tx:
        await tx.execute(delete(EventTable).where(EventTable.seq == 2))
    assert await fixture.queries.records.broken_link(migration, 3) == 3
    assert await fixture.queries.records.broken_link(migration, 2) is None
