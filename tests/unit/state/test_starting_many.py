"""Many migrations that begin together: the same rows as one by one, with the few statements of one."""

import tracemalloc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, select

from state.enums import Disposition, Side
from state.ledger.fleet_rows import ImportedNumber
from state.ledger.migrations import NewMigration
from state.ledger.profiles import NewProfile
from state.models import MigrationTable
from state.service import Service
from tests.harness.ledger_fixture import START, LedgerFixture, NoSecrets, new_number

FEW, MANY = 10, 400
# Of an import: each batch of 500 rows is staged and begun with a handful of statements, whatever is in it.
STATEMENTS_OF_500_ROWS = 45
BYTES_A_ROW = 700


async def _imported(fixture: LedgerFixture, first: int, count: int, **columns: Any) -> Sequence[ImportedNumber]:
    numbers = [new_number(index, **columns) for index in range(first, first + count)]
    return await fixture.ledger.fleet_import.import_numbers([NewProfile("main", "77")], numbers, NoSecrets())


def _new(number: ImportedNumber, **columns: Any) -> NewMigration:
    begun: dict[str, Any] = {"itinerary": "CODE_FIRST", "first": "snapshot", "because": "a test", "side": Side.CLOUD}
    return NewMigration(number.number_id, **(begun | columns))


class Statements:
    """Counts what an engine executes."""

    def __init__(self, fixture: LedgerFixture) -> None:
        self.count = 0
        event.listen(fixture.engine.sync_engine, "before_cursor_execute", self._note)

    def _note(self, *_: Any) -> None:
        self.count += 1

    def since(self) -> int:
        count, self.count = self.count, 0
        return count


def _shared(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what says whose they are."""
    return {name: value for name, value in facts.items() if name not in ("ref", "e164", "phone_number_id")}


async def test_they_are_the_rows_that_begin_one_by_one(fixture: LedgerFixture) -> None:
    one, *others = await _imported(fixture, 1, 3, wave="north")
    service = Service(served_at=START, served_on=Side.ON_PREMISES, seen_at=START)
    facts: dict[str, Any] = {"dark_since": START, "service": service, "signup_ends_at": START}
    alone = await fixture.ledger.migrations.start(
        one.number_id, itinerary="CODE_FIRST", first="snapshot", because="a test", side=Side.CLOUD, by="Ann", **facts
    )
    begun = await fixture.ledger.migrations.start_all([_new(number, **facts) for number in others], "Ann")
    assert sorted(begun) == [number.number_id for number in others]
    async with fixture.engine.connect() as connection:
        rows = (await connection.execute(select(MigrationTable.__table__).order_by(MigrationTable.id))).mappings().all()
    own = ("id", "number_pk", "events_head")
    plain = [{name: value for name, value in row.items() if name not in own} for row in rows]
    assert plain[1:] == [plain[0], plain[0]]
    for migration_id in (alone, *begun.values()):
        assert await fixture.queries.records.broken_link(migration_id) is None
    histories = [await fixture.queries.records.events(migration_id) for migration_id in (alone, *begun.values())]
    assert [history[0].facts["ref"] for history in histories] == [number.ref for number in (one, *others)]
    first, second, third = ([replace(event, facts=_shared(event.facts)) for event in each] for each in histories)
    assert first == second == third


async def test_what_may_not_begin_is_left_out(fixture: LedgerFixture) -> None:
    live, disposed, new = await _imported(fixture, 1, 3)
    await fixture.start_migration(live.number_id)
    await fixture.ledger.migrations.dispose(disposed.number_id, Disposition.CHURNED, "left", {}, "Ann")
    nobody = ImportedNumber(999, "N-0999")
    begun = await fixture.ledger.migrations.start_all([_new(each) for each in (live, disposed, new, nobody)], "Ann")
    assert list(begun) == [new.number_id]
    assert await fixture.ledger.migrations.start_all([_new(new)], "Ann") == {}


async def test_one_takes_the_pause_of_an_earlier_migration_over(fixture: LedgerFixture) -> None:
    (number,) = await _imported(fixture, 1, 1)
    earlier = await fixture.start_migration(number.number_id)
    await fixture.end_migration(earlier)
    at = "2025-09-01 07:00:00.000000"
    if fixture.engine.dialect.name == "postgresql":
        at = "2025-09-01 07:00:00+00"
    await fixture.sql(f"UPDATE number_migrations SET paused_at = '{at}'")
    begun = await fixture.ledger.migrations.start_all([_new(number)], "Ann")
    paused = {position.migration_id for position in await fixture.queries.positions.paused()}
    assert paused == set(begun.values())


async def test_many_cost_the_statements_of_few(fixture: LedgerFixture) -> None:
    few, many = await _imported(fixture, 1, FEW), await _imported(fixture, 1000, MANY)
    statements = Statements(fixture)
    await fixture.ledger.migrations.start_all([_new(number) for number in few], "Ann")
    of_few = statements.since()
    assert len(await fixture.ledger.migrations.start_all([_new(number) for number in many], "Ann")) == MANY
    assert statements.since() == of_few


async def test_an_import_costs_a_few_statements_a_batch(fixture: LedgerFixture) -> None:
    statements = Statements(fixture)
    imported = await _imported(fixture, 1, 500)
    await fixture.ledger.migrations.start_all([_new(number) for number in imported], "Ann")
    first = statements.since()
    assert first <= STATEMENTS_OF_500_ROWS
    more = await _imported(fixture, 1000, 1500)
    await fixture.ledger.migrations.start_all([_new(number) for number in more], "Ann")
    assert statements.since() <= 3 * STATEMENTS_OF_500_ROWS


@pytest.mark.parametrize("count", [0, 1])
async def test_none_and_one_begin_too(fixture: LedgerFixture, count: int) -> None:
    numbers = [_new(number) for number in await _imported(fixture, 1, 1)][:count]
    assert len(await fixture.ledger.migrations.start_all(numbers, "Ann")) == count


async def test_an_import_holds_the_rows_of_one_batch_at_a_time(fixture: LedgerFixture) -> None:
    """Bytes at the peak for each row more: all rows of the last transaction at once took 2,100."""
    few, many = await _peak_of_import(fixture, 1, 500), await _peak_of_import(fixture, 1_000, 3_000)
    assert (many - few) / 2_500 < BYTES_A_ROW


async def _peak_of_import(fixture: LedgerFixture, first: int, count: int) -> int:
    tracemalloc.start()
    try:
        await _imported(fixture, first, count)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
