"""How PostgreSQL finds the rows of what grows with the fleet and its history: by an index, never by reading a table."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event

from state.enums import Status
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from state.queries.due import WavePart
from tests.harness.ledger_fixture import LedgerFixture, open_ledger_fixture

pytestmark = pytest.mark.postgres

NUMBERS, EVENTS_EACH = 20_000, 2
ONE, IN_EACH_WAVE = 2_000, 20
GROWING = ("numbers", "number_migrations", "events")
# As the first number and its migration, with other ids; triggers are off, since these chains are nobody's.
FILL = (
    "SET LOCAL session_replication_role = replica",
    f"""INSERT INTO numbers SELECT (jsonb_populate_record(n, jsonb_build_object('id', i, 'ref', 'N-' || i,
        'e164', '+49151' || i, 'phone_number_id', '77' || i))).*
        FROM numbers n, generate_series(1000, {NUMBERS + 999}) i WHERE n.id = (SELECT min(id) FROM numbers)""",
    f"""INSERT INTO number_migrations SELECT (jsonb_populate_record(m, jsonb_build_object('id', i, 'number_pk', i,
        'events', {EVENTS_EACH}, 'wave_pk', (SELECT min(id) FROM waves) + (i - 1000) / {IN_EACH_WAVE}))).*
        FROM number_migrations m, generate_series(1000, {NUMBERS + 999}) i
        WHERE m.id = (SELECT min(id) FROM number_migrations)""",
    f"""INSERT INTO events SELECT (jsonb_populate_record(e, jsonb_build_object('id', 100000 + i * 100 + s,
        'migration_pk', i, 'seq', s))).* FROM events e, generate_series(1000, {NUMBERS + 999}) i,
        generate_series(1, {EVENTS_EACH}) s WHERE e.id = (SELECT min(id) FROM events)""",
)


@pytest.fixture
async def fleet(postgres_url: str) -> AsyncIterator[LedgerFixture]:
    async with open_ledger_fixture(postgres_url) as fixture:
        await fixture.import_number(1)
        for name in ("small", *map(str, range(NUMBERS // IN_EACH_WAVE))):
            await fixture.ledger.waves.create(NewWave(name), [])
        async with fixture.engine.begin() as tx:
            for statement in FILL:
                await tx.exec_driver_sql(statement)
        async with fixture.engine.connect() as connection:
            autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await autocommit.exec_driver_sql("ANALYZE")
        yield fixture


async def _lease_and_record(fixture: LedgerFixture) -> None:
    lease = await fixture.lease(ONE)
    await fixture.ledger.moves.record(lease, Move("register", Status.READY, "advanced"))


Work = Callable[[LedgerFixture], Awaitable[object]]
GROWS: dict[str, Work] = {
    "one number": lambda fixture: fixture.queries.positions.get(ONE),
    "one number by its name": lambda fixture: fixture.queries.positions.find(f"N-{ONE}"),
    "the history of a number": lambda fixture: fixture.queries.positions.history(ONE),
    "the events of a migration": lambda fixture: fixture.queries.records.events(ONE),
    "its chain": lambda fixture: fixture.queries.records.broken_link(ONE),
    "its attempts": lambda fixture: fixture.queries.records.attempts(ONE),
    "a page of the list": lambda fixture: fixture.queries.listing.page(after=ONE, limit=50),
    "the progress of a small wave": lambda fixture: fixture.queries.positions.progress(wave="small"),
    "a small wave": lambda fixture: fixture.queries.positions.board(wave="small"),
    "what is due in a small wave": lambda fixture: fixture.queries.due.due_now(WavePart("small")),
    "a lease and an outcome": _lease_and_record,
}


@pytest.mark.slow
async def test_what_grows_is_found_by_an_index(fleet: LedgerFixture) -> None:
    """One fleet for all of them: it takes seconds to fill."""
    assert [f"{name}: {found}" for name, work in GROWS.items() for found in await _read_whole(fleet, work)] == []


async def _read_whole(fleet: LedgerFixture, work: Work) -> list[str]:
    """The statements of the work, each with its plan, that read all of a table that grows."""
    executed: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        executed.append((statement, parameters))

    event.listen(fleet.engine.sync_engine, "before_cursor_execute", note)
    await work(fleet)
    event.remove(fleet.engine.sync_engine, "before_cursor_execute", note)
    assert executed
    found: list[str] = []
    for statement, parameters in executed:
        async with fleet.engine.connect() as connection:
            plan = [row[0] for row in await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)]
            await connection.rollback()
        if any(f"Seq Scan on {table} " in line for table in GROWING for line in plan):
            found.append("\n".join([statement, *plan]))
    return found
