"""Is the record of one home whole? Every chain, its head, the rows that follow from it, the database's triggers."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.append_only import PROTECTED, TRIGGERS
from state.enums import AttemptEnd
from state.ledger import anchoring, events, home_events, recorded_rows, wave_events
from state.ledger.migrations import IDENTITY
from state.models import (
    AttemptTable,
    BudgetCallTable,
    EventTable,
    HomeEventTable,
    HomeTable,
    MigrationTable,
    NumberTable,
    WaveEventTable,
    WaveTable,
)
from state.queries.row_check import AttemptsOnRecord, changed_rows, forgotten_numbers
from state.queries.standing_check import MigrationStanding, WaveStanding
from state.record_key import GENESIS, RecordKey, record_key_of
from state.triggers import digests_of

BUDGET_OF_STEP = {"register": "register", "deregister_cloud": "deregister"}
NO_KEY = "ref:"  # a reference that was made where no process had the record's key
NEVER_LEFT = AttemptEnd.NEVER_LEFT.value

Link = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Problem:
    place: str  # such as `N-0003, event 7`
    what: str


@dataclass(slots=True)
class CheckedRecord:
    """`chains`: name of each chain to its links, by sequence number."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what is no problem, and what a reader has to know
    chains: dict[str, dict[int, str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    lost: int = 0  # the home's event with which a new key took over from one that was lost; no older hash can be tried
    waves_taken_over: dict[str, Link] = field(default_factory=dict)
    epoch: int = 0
    mark: str | None = None
    pending: bool = False  # a restore was begun, and no process has taken its chains over
    home_id: str = ""
    forgotten: frozenset[str] = frozenset()  # references of numbers whose customer was forgotten
    earlier_ids: frozenset[tuple[str, str]] = frozenset()  # numbers, and references of ids that they had before

    @property
    def events(self) -> int:
        return sum(len(links) for links in self.chains.values())

    def add(self, place: str, what: str) -> None:
        self.problems.append(Problem(place, what))

    def add_all(self, place: str, found: Iterable[str]) -> None:
        self.problems += [Problem(place, what) for what in found]


async def check_record(engine: AsyncEngine) -> CheckedRecord:
    """The engine has to have the record's key."""
    key = record_key_of(engine)
    assert key is not None
    record = CheckedRecord()
    async with engine.connect() as connection:
        await _as_of_one_moment(connection)
        await connection.run_sync(lambda sync: _check_triggers(sync, record))
        await _check_home(connection, key, record)
        await _check_waves(connection, key, record)
        attempts = AttemptsOnRecord(lost_key=record.lost > 0)
        calls = await _check_numbers(connection, key, record, attempts)
        await _check_calls(connection, key, record, calls)
        broken = {problem.place.split(",")[0] for problem in record.problems if ", event " in problem.place}
        for place, what in await attempts.differences(connection, key, record.forgotten):
            if place.split(",")[0] not in broken:
                record.add(place, what)
    return record


async def _as_of_one_moment(connection: AsyncConnection) -> None:
    """From here on each read sees the same state: workers add events meanwhile, and move heads and attempts with them.

    https://sqlite.org/isolation.html, https://www.postgresql.org/docs/current/transaction-iso.html
    """
    if connection.in_transaction():
        return  # of a dry run that has begun to change something
    sqlite = connection.dialect.name == "sqlite"
    await connection.exec_driver_sql("BEGIN" if sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")


def _check_triggers(connection: Connection, record: CheckedRecord) -> None:
    """One of the same name that does something else, or nothing, is none."""
    found, needed = digests_of(connection), TRIGGERS[connection.dialect.name]
    for table in PROTECTED:
        there = {name: digest for name, (on, digest) in found.items() if on == table}
        names = [name for name in needed if name.startswith(f"{table}_")]
        if any(name not in there for name in names):
            record.add(f"table {table}", "the triggers that keep it append-only are missing")
        for name in names:
            if name in there and there[name] != needed[name]:
                record.add(f"table {table}", f"its trigger {name} is not the one that keeps it append-only")
        for name in sorted(there.keys() - needed.keys()):
            record.notes.append(f"table {table}: it has a trigger that is not ours, {name}")


async def _check_home(connection: AsyncConnection, key: RecordKey, record: CheckedRecord) -> None:
    home = (await connection.execute(select(HomeTable.__table__))).mappings().one()
    record.epoch, record.mark, record.home_id = int(home["epoch"]), home["epoch_mark"], str(home["home_id"])
    record.pending = home["epoch"] != home["record_epoch"]
    rows = (await connection.execute(select(HomeEventTable.__table__).order_by(HomeEventTable.seq))).mappings()
    chain = _Chain("home", "the home", record)
    events_of_home = rows.all()
    _find_lost_key(record, key, events_of_home)
    for row in events_of_home:
        chain.link(row, row["seq"] < record.lost or row["hash"] == home_events.digest(key, dict(row)))
    chain.end(home["events"], home["events_head"])
    _check_epochs(record, home, [row for row in events_of_home if row["kind"] == anchoring.TAKEN_OVER])
    await _check_handed_in(connection, key, record)
    record.forgotten = forgotten_numbers(events_of_home)
    record.earlier_ids = recorded_rows.earlier_ids(events_of_home)
    differences = await changed_rows(connection, key, events_of_home)
    if differences is None:
        record.notes.append("field facts and dispositions are not taken over yet; `cutover sweep` does")
    for place, what in differences or ():
        record.add(place, what)


def _check_epochs(record: CheckedRecord, home: RowMapping, taken_over: Sequence[RowMapping]) -> None:
    """An epoch that nothing of ours has begun would hide what was anchored in the one before."""
    begun = taken_over[-1]["facts"] if taken_over else {"epoch": None, "mark": home["epoch_mark"]}
    pending = home["epoch"] != home["record_epoch"]
    if home["record_epoch"] != begun["epoch"] or (home["epoch_mark"] != begun["mark"] and not pending):
        record.add("the home", f"nothing in its events began epoch {home['record_epoch']}")
    if pending:
        record.notes.append("a restore was begun, and its chains are not taken over yet; `cutover sweep` does")
    for row in taken_over:
        for name, (anchored, found) in row["facts"]["behind"].items():
            label = f"migration {name.removeprefix('m')}"
            epoch = row["facts"]["epoch"]
            record.notes.append(f"{label}: {anchored} events were anchored before epoch {epoch}, {found} came into it")
        for name, count in row["facts"].get("changed", {}).items():  # older events of a take-over do not have it
            label = f"migration {name.removeprefix('m')}, event {count}"
            record.add(label, f"another one came into epoch {row['facts']['epoch']} than was anchored before it")


def _find_lost_key(record: CheckedRecord, key: RecordKey, rows: Sequence[RowMapping]) -> None:
    """The last event with which a new key began, where there was another one before."""
    begun = [row for row in rows if row["kind"] == anchoring.TAKEN_OVER and row["facts"]["new_key"]]
    if len(begun) > 1 and begun[-1]["hash"] == home_events.digest(key, dict(begun[-1])):
        record.lost = int(begun[-1]["seq"])
        at = f"{begun[-1]['at']:%Y-%m-%d %H:%M} UTC"
        record.notes.append(f"a new key of the record began at {at}: hashes before it cannot be tried any more")
        taken_over = begun[-1]["facts"]["waves"]
        record.waves_taken_over = {f"w{wave}": (count, head) for wave, (count, head) in taken_over.items()}


async def _check_handed_in(connection: AsyncConnection, key: RecordKey, record: CheckedRecord) -> None:
    """Calls without an attempt, and decisions of an older release, are those that the home's events say."""
    rows = (
        await connection.execute(select(HomeEventTable.kind, HomeEventTable.facts).order_by(HomeEventTable.seq))
    ).all()
    expected: Counter[str] = Counter()
    decisions = anchoring.digest_of(())
    for kind, facts in rows:
        if kind == anchoring.TAKEN_OVER:
            expected, decisions = Counter(facts["calls"]), facts["decisions"]
        elif kind == anchoring.CALLS_HANDED_IN:
            expected.update(facts["calls"])
    calls = await connection.execute(select(*anchoring.CALL_COLUMNS).where(BudgetCallTable.attempt_pk.is_(None)))
    found = Counter(anchoring.call_references(key, calls.all()))
    if found != expected and not record.pending:  # a restore counts calls as made; they are taken over with it
        gone, more = (expected - found).total(), (found - expected).total()
        record.add("calls before the import", f"{gone} are missing or changed, {more} were added or changed")
    unhashed = (await connection.execute(anchoring.unhashed_decisions())).all()
    if anchoring.digest_of(map(tuple, unhashed)) != decisions:
        record.add("decisions about waves", "one that was taken over from an older release was changed or removed")


async def _check_waves(connection: AsyncConnection, key: RecordKey, record: CheckedRecord) -> None:
    waves = (await connection.execute(select(WaveTable.__table__))).mappings().all()
    hashed = select(WaveEventTable.__table__).where(WaveEventTable.seq.is_not(None))
    rows = (await connection.execute(hashed.order_by(WaveEventTable.wave_pk, WaveEventTable.seq))).mappings().all()
    for wave in waves:
        name, label = f"w{wave['id']}", f"wave {wave['name']}"
        chain, standing = _Chain(name, label, record), WaveStanding()
        count, head = record.waves_taken_over.get(name, (0, GENESIS))
        for row in (row for row in rows if row["wave_pk"] == wave["id"]):
            untried = row["seq"] < count or (row["seq"], row["hash"]) == (count, head)
            chain.link(row, untried or row["hash"] == wave_events.digest(key, dict(row)))
            standing.take(row)
        chain.end(wave["events"], wave["events_head"])
        if not chain.is_broken:
            record.add_all(label, standing.differences(wave))


Calls = dict[tuple[int, int], tuple[str, Any]]  # (migration, attempt) -> call and time


async def _check_numbers(
    connection: AsyncConnection, key: RecordKey, record: CheckedRecord, attempts: AttemptsOnRecord
) -> Calls:
    of_chain = (
        MigrationTable.events,
        MigrationTable.events_head,
        MigrationTable.anchored_events,
        MigrationTable.anchor,
    )
    of_standing = (MigrationTable.attempts, MigrationTable.side, MigrationTable.status)
    query = (
        select(MigrationTable.id, *IDENTITY, *of_chain, *of_standing)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .order_by(MigrationTable.id)
    )
    migrations = {row["id"]: row for row in (await connection.execute(query)).mappings()}
    calls: Calls = {}
    checkers: dict[int, _NumberChain] = {
        migration_id: _NumberChain(row, key, record, calls, attempts) for migration_id, row in migrations.items()
    }
    rows = await connection.stream(select(EventTable.__table__).order_by(EventTable.migration_pk, EventTable.seq))
    async for event in rows.mappings():
        checker = checkers.get(event["migration_pk"])
        if checker is None:
            record.add(f"migration {event['migration_pk']}, event {event['seq']}", "its migration is gone")
        else:
            checker.take(event)
    for checker in checkers.values():
        checker.end()
    return calls


async def _check_calls(connection: AsyncConnection, key: RecordKey, record: CheckedRecord, expected: Calls) -> None:
    query = (
        select(
            AttemptTable.migration_pk,
            AttemptTable.number,
            BudgetCallTable.call,
            BudgetCallTable.at,
            BudgetCallTable.phone_number_id,
            NumberTable.phone_number_id.label("id_now"),
            NumberTable.ref,
        )
        .join(AttemptTable, AttemptTable.id == BudgetCallTable.attempt_pk)
        .join(MigrationTable, MigrationTable.id == AttemptTable.migration_pk)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
    )
    left = dict(expected)
    for row in (await connection.execute(query)).mappings():
        found = left.pop((row["migration_pk"], row["number"]), None)
        of, now = (anchoring.number_reference(key, row[name]) for name in ("phone_number_id", "id_now"))
        of_number = of == now or (row["ref"], of) in record.earlier_ids
        if found != (row["call"], row["at"]) or not of_number:
            record.add(f"{row['ref']}, call {row['call']}", "the row of the budget is not what its event says")
    for (migration_id, attempt), (call, _) in left.items():
        label = record.labels.get(f"m{migration_id}", f"migration {migration_id}")
        record.add(f"{label}, call {call} of attempt {attempt}", "the row of the budget is missing")


class _Chain:
    """Follows one chain; reports its first break, and what its owner's row says of its end."""

    def __init__(self, name: str, label: str, record: CheckedRecord) -> None:
        self.label = label
        self._record = record
        self._last: Link = (0, GENESIS)
        self.is_broken = False
        record.labels[name] = label
        self._links = record.chains.setdefault(name, {})

    def link(self, row: RowMapping | Mapping[Any, Any], hash_fits: bool) -> None:
        seq = int(row["seq"])
        follows = (seq - 1, row["previous"]) == self._last
        if not self.is_broken and not (follows and hash_fits):
            self.is_broken = True
            what = "it was changed or forged" if follows else "it does not follow from the one before it"
            self._record.add(f"{self.label}, event {seq}", what)
        self._links[seq] = row["hash"]
        self._last = (seq, row["hash"])

    def end(self, count: int, head: str) -> None:
        if self._last == (count, head) or self.is_broken:
            return
        what = f"{count} events were counted, {self._last[0]} are there"
        if self._last[0] == count:
            what = "the last event is not the one that was counted"
        self._record.add(f"{self.label}, event {min(count, self._last[0]) + 1}", what)


class _NumberChain:
    """The chain of one migration, with what its events say of calls."""

    def __init__(
        self, row: RowMapping, key: RecordKey, record: CheckedRecord, calls: Calls, attempts: AttemptsOnRecord
    ) -> None:
        self._row, self._key, self._record, self._calls, self._attempts = row, key, record, calls, attempts
        self._chain = _Chain(f"m{row['id']}", str(row["ref"]), record)
        self._standing = MigrationStanding()
        self._intents = 0
        self._open: int | None = None
        self._anchored = int(row["anchored_events"])
        self._anchor_seen = self._anchored == 0

    def take(self, event: RowMapping) -> None:
        parts = (event["previous"], event["migration_pk"], event["seq"], event["at"], event["kind"], event["facts"])
        fits = event["hash"] == events.digest(self._key, *parts)
        if not fits and (event["seq"] <= self._anchored or self._record.pending):
            fits = self._record.lost > 0 or event["hash"] == events.digest(None, *parts)
        self._chain.link(event, fits)
        if event["seq"] == self._anchored:
            of = anchoring.anchor_of(self._key, self._row["id"], self._anchored, event["hash"])
            self._anchor_seen = of == self._row["anchor"]
        if fits:
            if event["seq"] == 1:
                self._check_identity(event["facts"])
            self._note_call(event)
            self._attempts.take(event)
            self._standing.take(event)

    def _check_identity(self, facts: Mapping[str, Any]) -> None:
        """Whose number it was when its migration began. Migrations of older releases do not say."""
        ref = str(self._row["ref"])
        if facts.get("ref", ref) != ref:
            self._record.add(ref, f"this migration is one of {facts['ref']}: references of numbers were exchanged")
        if self._record.lost:  # no reference under the key that was lost can be tried any more
            return
        for name in ("e164", "phone_number_id"):
            said = facts.get(name)
            now = anchoring.number_reference(self._key, self._row[name])
            if said not in (None, NO_KEY, now) and (ref, said) not in self._record.earlier_ids:
                self._record.add(ref, f"its {name} is another one than when its migration began")

    def _note_call(self, event: RowMapping) -> None:
        facts: Mapping[str, Any] = event["facts"]
        if event["kind"] == "intent":
            self._intents += 1
            self._open = int(facts["attempt"])
            call = BUDGET_OF_STEP.get(facts["step"])
            if call is not None:
                self._calls[self._row["id"], self._open] = (call, event["at"])
        elif facts.get("attempt_end") == NEVER_LEFT and self._open is not None:
            self._calls.pop((self._row["id"], self._open), None)

    def end(self) -> None:
        self._chain.end(self._row["events"], self._row["events_head"])
        if not self._anchor_seen:
            what = "what was taken over at an upgrade or a restore is not what stands there now"
            self._record.add(f"{self._chain.label}, event {self._anchored}", what)
        elif self._intents != self._row["attempts"]:
            what = f"{self._row['attempts']} calls were counted, {self._intents} are in its events"
            self._record.add(self._chain.label, what)
        elif not self._chain.is_broken:
            self._record.add_all(self._chain.label, self._standing.differences(self._row))
