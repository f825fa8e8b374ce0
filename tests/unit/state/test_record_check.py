"""Every way of cutting or changing the record is found, with its place, on both databases."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.record_anchor import RecordAnchor
from migration.operations.record_audit import compare
from state.database import open_database
from state.enums import Disposition, Released
from state.ledger.anchoring import take_over_chains
from state.ledger.events import digest
from state.ledger.fleet_rows import NewInstance
from state.ledger.ledger import Ledger
from state.ledger.waves import NewWave
from state.models import Base, EventTable
from state.queries.queries import Queries
from state.queries.record_check import CheckedRecord, check_record
from state.record_key import GENESIS, RecordKey, with_record_key
from state.triggers import without_triggers
from tests.harness.clock import FakeSqlClock
from tests.harness.ledger_fixture import LedgerFixture, NoSecrets, new_number, open_ledger_fixture

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
        anchored = self.anchor.read_all()
        record: CheckedRecord = await check_record(self.engine)
        compare(record, anchored, "the anchor file")
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
        await fixture.import_number(3)
        await fixture.ledger.migrations.dispose(3, Disposition.BANNED, "banned", {"status": "BANNED"}, "tester")
        await fixture.ledger.field_facts.record("pin_call_while_dark", "yes", "tried on N-0001", "tester")
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
FACT = "value, measured_at, measured_by, evidence"
ATTEMPT = "holder, fence, intent, side_before, opened_at, answer_due, settle_by"
ADDED_ATTEMPT = (
    f"INSERT INTO attempts (migration_pk, number, step, key, {ATTEMPT}) "
    f"SELECT 1, 99, step, '1/register/99', {ATTEMPT} FROM attempts WHERE migration_pk = 2"
)
WAYS = {
    "references of two numbers exchanged": (
        "UPDATE numbers SET ref = 'N-9999' WHERE id = 1",
        "UPDATE numbers SET ref = 'N-0001' WHERE id = 2",
        "UPDATE numbers SET ref = 'N-0002' WHERE id = 1",
    ),
    "phone numbers of two numbers exchanged": (
        "UPDATE numbers SET e164 = e164 || 'x' WHERE id IN (1, 2)",
        f"UPDATE numbers SET e164 = '{new_number(2).e164}' WHERE id = 1",
        f"UPDATE numbers SET e164 = '{new_number(1).e164}' WHERE id = 2",
    ),
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
    "attempt removed": ("DELETE FROM budget_calls", "DELETE FROM attempts WHERE migration_pk = 1 AND number = 1"),
    "attempt added": (ADDED_ATTEMPT,),
    "attempt opened again": (
        "UPDATE attempts SET ended = NULL, ended_at = NULL WHERE migration_pk = 1 AND number = 1",
    ),
    "attempt ended otherwise": ("UPDATE attempts SET ended = 'not done' WHERE migration_pk = 1 AND number = 1",),
    "attempt with another intent": ("UPDATE attempts SET intent = '{}' WHERE migration_pk = 1 AND number = 1",),
    "attempt that says it was forgotten": (
        """UPDATE attempts SET intent = '{"forgotten": true}', answer = NULL WHERE migration_pk = 1""",
    ),
    "attempt with another answer": ("""UPDATE attempts SET answer = '{"side": "cloud"}' WHERE migration_pk = 1""",),
    "attempt of another step": ("UPDATE attempts SET step = 'snapshot' WHERE migration_pk = 1 AND number = 1",),
    "attempt settled at another time": ("UPDATE attempts SET settle_by = opened_at WHERE migration_pk = 1",),
    "field fact changed": ("UPDATE field_facts SET value = 'no'",),
    "field fact with other evidence": ("UPDATE field_facts SET evidence = 'none'",),
    "field fact by somebody else": ("UPDATE field_facts SET measured_by = 'another'",),
    "field fact refuted by hand": ("UPDATE field_facts SET refuted_at = measured_at, refuted_by = 'N-0001'",),
    "field fact removed": ("DELETE FROM field_facts",),
    "field fact added": (f"INSERT INTO field_facts (name, {FACT}) SELECT 'another', {FACT} FROM field_facts",),
    "disposition removed": ("UPDATE numbers SET disposition = NULL WHERE id = 3",),
    "disposition changed": ("UPDATE numbers SET disposition = 'churned' WHERE id = 3",),
    "disposition with another reason": ("UPDATE numbers SET disposition_reason = 'other' WHERE id = 3",),
    "disposition with other evidence": ("UPDATE numbers SET disposition_evidence = '{}' WHERE id = 3",),
    "disposition decided by another": ("UPDATE numbers SET disposition_by = 'another' WHERE id = 3",),
    "disposition added": ("UPDATE numbers SET disposition = 'churned' WHERE id = 1",),
    "side changed": ("UPDATE number_migrations SET side = 'cloud' WHERE id = 2",),
    "side of a number that has called": ("UPDATE number_migrations SET side = 'neither' WHERE id = 1",),
    "migration ended by hand": ("UPDATE number_migrations SET status = 'done', ended_at = created_at WHERE id = 2",),
    "end of a migration taken back": (
        "UPDATE number_migrations SET status = 'ready', ended_at = NULL WHERE ended_at IS NOT NULL",
    ),
    "wave released by hand": ("UPDATE waves SET released = 'all'",),
    "wave ended by hand": ("UPDATE waves SET state = 'done'",),
    "wave made wider by hand": ("UPDATE waves SET concurrency = 500",),
    "migration given to another number": ("UPDATE number_migrations SET number_pk = 3 WHERE id = 1",),
    "time of an event": ("UPDATE events SET at = '2025-01-01 00:00:00' WHERE migration_pk = 1 AND seq = 2",),
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


TABLES = ["events", "wave_events", "home_events", "budget_calls", "attempts"]


@pytest.mark.parametrize("table", TABLES)
async def test_the_database_refuses_to_change_the_record(recorded: Recorded, table: str) -> None:
    time = "opened_at" if table == "attempts" else "at"
    for statement in (f"UPDATE {table} SET {time} = {time}", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match="append-only"):
            await recorded.fixture.sql(statement)


@pytest.mark.parametrize("table", TABLES)
async def test_no_insert_takes_the_place_of_a_row(recorded: Recorded, table: str) -> None:
    """SQLite's REPLACE deletes rows and asks no trigger of DELETE; PostgreSQL has an UPDATE in its place."""
    if recorded.engine.dialect.name == "postgresql":
        statement = f"INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (id) DO UPDATE SET id = EXCLUDED.id"
        with pytest.raises(Exception, match="append-only"):
            await recorded.fixture.sql(statement)
        return
    for verb in ("REPLACE INTO", "INSERT OR REPLACE INTO"):
        with pytest.raises(Exception, match=r"append-only|has to follow"):
            await recorded.fixture.sql(f"{verb} {table} SELECT * FROM {table} LIMIT 1")
    assert await recorded.problems() == []


async def test_an_event_that_takes_the_place_of_another_is_refused(recorded: Recorded) -> None:
    """It follows the last one, and has the id of the first."""
    if recorded.engine.dialect.name == "postgresql":
        pytest.skip("an INSERT of PostgreSQL takes no other row's place")
    following = f"SELECT id, 1, {LAST} + 1, at, kind, facts, {LAST_HASH}, 'x' FROM events WHERE id = 1"
    with pytest.raises(Exception, match="append-only"):
        await recorded.fixture.sql(f"REPLACE INTO events (id, {COLUMNS}) {following}")


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


DOES_NOTHING = {
    "sqlite": {
        "replaced": (
            "DROP TRIGGER events_no_delete",
            "CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT 1; END",
        ),
        "on another table": (
            "DROP TRIGGER events_no_delete",
            (
                "CREATE TRIGGER events_no_delete BEFORE DELETE ON waves BEGIN"
                " SELECT RAISE(ABORT, 'the record is append-only: events'); END"
            ),
        ),
        "the order of events": ("DROP TRIGGER events_follow",),
    },
    "postgresql": {
        "replaced": (
            (
                "CREATE OR REPLACE FUNCTION cutover_append_only() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN RETURN OLD; END$$"
            ),
        ),
        "on another table": (
            "DROP TRIGGER events_kept ON events",
            "CREATE TRIGGER events_kept BEFORE DELETE ON waves FOR EACH ROW EXECUTE FUNCTION cutover_append_only()",
        ),
        "disabled": ("ALTER TABLE events DISABLE TRIGGER ALL",),
        "for replicas": ("ALTER TABLE events ENABLE REPLICA TRIGGER events_kept",),
        "with a condition": (
            "DROP TRIGGER events_kept ON events",
            (
                "CREATE TRIGGER events_kept BEFORE UPDATE OR DELETE ON events FOR EACH ROW WHEN (OLD.id < 0)"
                " EXECUTE FUNCTION cutover_append_only()"
            ),
        ),
    },
}


@pytest.mark.parametrize("way", sorted({way for ways in DOES_NOTHING.values() for way in ways}))
async def test_a_trigger_of_the_same_name_that_does_nothing_is_found(recorded: Recorded, way: str) -> None:
    statements = DOES_NOTHING[recorded.engine.dialect.name].get(way)
    if statements is None:
        pytest.skip("the other database's")
    for statement in statements:
        await recorded.fixture.sql(statement)
    assert (await recorded.problems())[0].startswith("table events: ")


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


async def test_a_record_that_grows_meanwhile_is_whole(recorded: Recorded) -> None:
    """A worker in another process adds events while they are read."""
    clock, url = FakeSqlClock(lambda: recorded.fixture.now), recorded.engine.url.render_as_string(hide_password=False)
    stop = threading.Event()

    async def write() -> None:
        other = open_database(url)
        ledger = Ledger(with_record_key(other, KEY), clock)
        while not stop.is_set():
            await ledger.operator_changes.hold(recorded.first, True, "tester", "a test")
            await ledger.operator_changes.hold(recorded.first, False, "tester", "a test")
        await other.dispose()

    writer = asyncio.create_task(asyncio.to_thread(asyncio.run, write()))
    try:
        for _ in range(40):
            await recorded.write_anchor()
            assert await recorded.problems() == []
    finally:
        stop.set()
        await writer


@pytest.mark.parametrize("goes_on", [False, True])
async def test_a_cut_is_found_after_the_next_anchor_too(recorded: Recorded, goes_on: bool) -> None:
    """That line says how far the shorter chain has come, or the one that went on from there."""
    second = "(SELECT id FROM attempts WHERE migration_pk = 1 AND number = 2)"
    no_second = (f"DELETE FROM budget_calls WHERE attempt_pk = {second}", f"DELETE FROM attempts WHERE id = {second}")
    await recorded.tamper(CUT, CUT, FIT_HEAD, *no_second, "UPDATE number_migrations SET attempts = 1 WHERE id = 1")
    if goes_on:
        for _ in range(3):
            await recorded.fixture.ledger.operator_changes.hold(recorded.first, True, "tester", "a test")
            await recorded.fixture.ledger.operator_changes.hold(recorded.first, False, "tester", "a test")
    else:
        await recorded.fixture.spend_calls(recorded.second)
    await recorded.write_anchor()
    problems = await recorded.problems()
    assert [problem for problem in problems if "another chain or a shorter one" in problem], problems


OF_ANOTHER_KEY = '{"at": "2026-11-24", "key": "another", "mac": "%s"}\n'


@pytest.mark.parametrize(
    "way", ["emptied", "another key at its end", "another key at its end, and gone on", "begun so"]
)
async def test_an_anchor_file_that_was_made_to_forget_is_found(recorded: Recorded, way: str) -> None:
    """Without a line that this key has written, or behind one of another key, nothing would be compared."""
    path = recorded.anchor.path
    await recorded.tamper(CUT, FIT_HEAD, NO_CALLS, NO_ATTEMPTS)
    if way == "emptied":
        path.write_text("")
    elif way == "begun so":
        await recorded.fixture.spend_calls(recorded.second)
        await recorded.write_anchor()
        first, second = path.read_text().splitlines(keepends=True)
        path.write_text(OF_ANOTHER_KEY % json.loads(first)["mac"] + second)
    else:
        path.write_text(path.read_text() + OF_ANOTHER_KEY % GENESIS)
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    if way.endswith("gone on"):
        await recorded.write_anchor()
    assert [problem for problem in await recorded.problems() if problem.startswith("the anchor file")]


async def test_a_line_that_a_kill_has_cut_off_does_no_harm(recorded: Recorded) -> None:
    path = recorded.anchor.path
    with path.open("a") as file:
        file.write('{"at": "20')
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    await recorded.fixture.spend_calls(recorded.first)
    await recorded.write_anchor()
    recorded.anchor = RecordAnchor(path, KEY, lambda: "")
    assert await recorded.problems() == []


async def test_a_corrected_id_leaves_the_record_whole_and_is_forgotten_too(recorded: Recorded) -> None:
    """Calls were made under the number's earlier id; its instance is no number's any more."""
    fixture = recorded.fixture
    client = NewInstance("Acme's client", "https://acme.test", "admin", True, None, None, {})
    fourth = await fixture.import_number(4, instance=client)
    await fixture.spend_calls(fourth)
    for migration in (recorded.first, recorded.second, fourth):
        await fixture.end_migration(migration)
    columns = frozenset({"e164", "phone_number_id", "waba_id", "customer", "profile", "onprem_url"})
    corrected = [new_number(4, phone_number_id="555000000000004", columns=columns)]
    await fixture.ledger.corrections.correct(corrected, NoSecrets())
    assert await recorded.problems() == []
    await fixture.sql('UPDATE wabas SET reported = \'{"decision": "of Acme Ltd"}\'')
    await fixture.sql("UPDATE number_migrations SET foreign_waba = '10229'")
    cause = "INSERT INTO causes (key, kind, title, lines, opened_at) VALUES (:key, 'code', :title, '[]', :at)"
    await fixture.sql(cause, key="1", title="Acme has to read out the code of 2 numbers", at=fixture.now)
    await fixture.sql(cause, key="2", title="Acmeville has to read out the code of N-00011", at=fixture.now)
    fixture.advance(days=4)
    await fixture.ledger.forgetting.forget("Acme", "tester", "the law")
    left = [
        f"{table}: {row}"
        for table in Base.metadata.tables
        for row in map(str, await fixture.sql(f"SELECT * FROM {table}"))
        if any(word in row for word in ("Acme ", "Acme'", "acme", "10229", str(10**14 + 4), "555000000000004", "Ltd"))
    ]
    assert left == []
    assert [row.key for row in await fixture.sql("SELECT key FROM causes")] == ["2"]
    assert await recorded.problems() == []
