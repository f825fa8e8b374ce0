"""Every way of cutting or changing the record is found, with its place, on both databases."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.record_anchor import RecordAnchor
from migration.operations.audit import compare
from state.enums import Released
from state.ledger.anchoring import take_over_chains
from state.ledger.events import digest
from state.ledger.ledger import Ledger
from state.ledger.waves import NewWave
from state.models import EventTable
from state.queries.queries import Queries
from state.queries.record_check import CheckedRecord, check_record
from state.record_key import GENESIS, RecordKey, with_record_key
from state.triggers import without_triggers
from tests.harness.clock import FakeSqlClock
from tests.harness.ledger_fixture import LedgerFixture, open_ledger_fixture

KEY = RecordKey(b"k" * 32)


@dataclass
class Recorded:
    """A home with two numbers that have made calls, and a wave; its chains were anchored."""

    fixture: LedgerFixture
    engine: AsyncEngine
    anchor: RecordAnchor
    first: int
    second: int

    async def tamper(self, *statements: str) -> None:
        """As somebody does who may do everything in the database, but has no key."""
        async with self.engine.begin() as tx:
            await tx.run_sync(lambda sync: _tamper(sync, statements))

    async def problems(self) -> list[str]:
        record: CheckedRecord = await check_record(self.engine)
        compare(record, self.anchor.read(), "the anchor file")
        return [f"{problem.place}: {problem.what}" for problem in record.problems]

    async def write_anchor(self) -> None:
        self.anchor.write(await self.fixture.queries.heads.read())


def _tamper(connection: Connection, statements: tuple[str, ...]) -> None:
    with without_triggers(connection):
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
async def recorded(database_url: str, tmp_path: Path) -> AsyncIterator[Recorded]:
    async with open_ledger_fixture(database_url) as fixture:
        clock = FakeSqlClock(lambda: fixture.now)
        engine = with_record_key(fixture.engine, KEY)
        fixture.ledger, fixture.queries = Ledger(engine, clock), Queries(engine, clock)
        assert await take_over_chains(engine, clock)
        first = await fixture.import_number(1, register_calls_before=2)
        second = await fixture.import_number(2)
        await fixture.spend_calls(first, times=2)
        await fixture.spend_calls(second)
        await fixture.ledger.waves.create(NewWave("north"), [first, second], by="tester")
        await fixture.ledger.waves.release("north", Released.CANARY, by="tester")
        anchor = RecordAnchor(tmp_path / "anchors.jsonl", KEY, fixture.now.isoformat)
        made = Recorded(fixture, engine, anchor, first, second)
        await made.write_anchor()
        yield made


async def test_an_untouched_record_is_whole(recorded: Recorded) -> None:
    assert await recorded.problems() == []
    await recorded.fixture.spend_calls(recorded.second)
    assert await recorded.problems() == []


LAST = "(SELECT max(seq) FROM events WHERE migration_pk = 1)"
CUT = f"DELETE FROM events WHERE migration_pk = 1 AND seq = {LAST}"
FIT_HEAD = (
    f"UPDATE number_migrations SET events = {LAST}, events_head = "
    f"(SELECT hash FROM events WHERE migration_pk = 1 AND seq = {LAST}) WHERE id = 1"
)
EMPTY_HEAD = f"UPDATE number_migrations SET events = 0, events_head = '{'0' * 64}', attempts = 0 WHERE id = 1"
NO_CALLS = "DELETE FROM budget_calls WHERE attempt_pk IN (SELECT id FROM attempts WHERE migration_pk = 1)"
NO_ATTEMPTS = "DELETE FROM attempts WHERE migration_pk = 1"
COLUMNS = "migration_pk, seq, at, kind, facts, previous, hash"
AGAIN = f"INSERT INTO events ({COLUMNS}) SELECT migration_pk, 3, at, kind, facts, hash, hash FROM events"
LAST_HASH = f"(SELECT hash FROM events WHERE migration_pk = 1 AND seq = {LAST})"
OF_ANOTHER = f"INSERT INTO events ({COLUMNS}) SELECT 1, {LAST} + 1, at, kind, facts, {LAST_HASH}, hash FROM events"
CALL = "phone_number_id, call, at, before_import"
WAYS = {
    "tail cut": (CUT,),
    "tail cut, and the head made to fit": (CUT, FIT_HEAD),
    "whole chain removed": ("DELETE FROM events WHERE migration_pk = 1",),
    "whole chain removed, and the head made to fit": (
        "DELETE FROM events WHERE migration_pk = 1",
        NO_CALLS,
        NO_ATTEMPTS,
        EMPTY_HEAD,
    ),
    "row changed": ("UPDATE events SET kind = 'other' WHERE migration_pk = 1 AND seq = 2",),
    "facts changed": ("UPDATE events SET facts = '{}' WHERE migration_pk = 1 AND seq = 2",),
    "row removed": ("DELETE FROM events WHERE migration_pk = 1 AND seq = 2",),
    "row put between": (
        "UPDATE events SET seq = seq + 100 WHERE migration_pk = 1 AND seq > 2",
        f"{AGAIN} WHERE migration_pk = 1 AND seq = 2",
        "UPDATE events SET seq = seq - 99 WHERE migration_pk = 1 AND seq > 100",
        "UPDATE number_migrations SET events = events + 1 WHERE id = 1",
    ),
    "row of another number put at the end": (
        f"{OF_ANOTHER} WHERE migration_pk = 2 AND seq = 1",
        FIT_HEAD,
    ),
    "call of the budget removed": (NO_CALLS,),
    "call of the budget moved to another time": ("UPDATE budget_calls SET at = '2025-01-01 00:00:00'",),
    "call of the budget changed": ("UPDATE budget_calls SET call = 'deregister' WHERE attempt_pk IS NOT NULL",),
    "call before the import removed": ("DELETE FROM budget_calls WHERE attempt_pk IS NULL",),
    "call before the import added": (
        f"INSERT INTO budget_calls ({CALL}) SELECT {CALL} FROM budget_calls WHERE attempt_pk IS NULL",
    ),
    "decision changed": ("UPDATE wave_events SET decided_by = 'somebody else'",),
    "decision removed": ("DELETE FROM wave_events WHERE seq = 2",),
    "decisions removed, and the head made to fit": (
        "DELETE FROM wave_events",
        f"UPDATE waves SET events = 0, events_head = '{'0' * 64}'",
    ),
    "event of the home removed": ("DELETE FROM home_events WHERE seq = 1",),
    "event of the home changed": ("UPDATE home_events SET kind = 'other' WHERE seq = 1",),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_way_of_changing_the_record_is_found(recorded: Recorded, way: str) -> None:
    await recorded.tamper(*WAYS[way])
    assert await recorded.problems()


async def test_a_cut_end_is_found_without_anchors(recorded: Recorded) -> None:
    await recorded.tamper(CUT)
    (problem,) = (await check_record(recorded.engine)).problems
    assert problem.place.startswith("N-0001, event ")


async def test_a_chain_forged_anew_without_the_key_is_found(recorded: Recorded) -> None:
    """All links, hashes and the head fit each other: only the key is missing."""
    async with recorded.fixture.engine.connect() as connection:
        rows = (await connection.execute(select(EventTable.__table__).order_by(EventTable.seq))).mappings().all()
    previous, changes = GENESIS, []
    for row in (row for row in rows if row["migration_pk"] == 1):
        forged = digest(None, previous, 1, row["seq"], row["at"], row["kind"], row["facts"])
        changes.append(f"UPDATE events SET previous = '{previous}', hash = '{forged}' WHERE id = {row['id']}")
        previous = forged
    await recorded.tamper(*changes, f"UPDATE number_migrations SET events_head = '{previous}' WHERE id = 1")
    assert (await recorded.problems())[0].startswith("N-0001, event 1: ")
    as_if_taken_over = "UPDATE number_migrations SET anchored_events = events, anchor = events_head WHERE id = 1"
    await recorded.tamper(as_if_taken_over)
    assert await recorded.problems()


@pytest.mark.parametrize("table", ["events", "wave_events", "home_events", "budget_calls"])
async def test_the_database_refuses_to_change_the_record(recorded: Recorded, table: str) -> None:
    for statement in (f"UPDATE {table} SET at = at", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match="append-only"):
            await recorded.fixture.sql(statement)


async def test_an_event_that_does_not_follow_is_refused(recorded: Recorded) -> None:
    late = (
        "INSERT INTO events (migration_pk, seq, at, kind, facts, previous, hash) SELECT 1, 99, at, kind, facts, hash, "
    )
    with pytest.raises(Exception, match="follow"):
        await recorded.fixture.sql(late + "'0' FROM events WHERE migration_pk = 1 AND seq = 1")


async def test_a_trigger_that_is_gone_is_found(recorded: Recorded) -> None:
    on_table = recorded.engine.dialect.name == "postgresql"
    await recorded.fixture.sql("DROP TRIGGER " + ("events_kept ON events" if on_table else "events_no_delete"))
    assert await recorded.problems() == ["table events: the triggers that keep it append-only are missing"]


async def test_a_changed_anchor_file_is_found(recorded: Recorded) -> None:
    await recorded.fixture.spend_calls(recorded.first)
    await recorded.write_anchor()
    path = recorded.anchor.path
    lines = path.read_text().splitlines(keepends=True)
    assert len(lines) == 2
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    path.write_text(lines[1])
    assert "line 1" in (await recorded.problems())[0]
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    path.write_text("".join([lines[0].replace('"m1":[', '"m1":[1'), lines[1]]))
    assert "line 1" in (await recorded.problems())[0]


async def test_a_line_that_a_kill_has_cut_off_does_no_harm(recorded: Recorded) -> None:
    path = recorded.anchor.path
    with path.open("a") as file:
        file.write('{"at": "20')
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    await recorded.fixture.spend_calls(recorded.first)
    await recorded.write_anchor()
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    assert await recorded.problems() == []
