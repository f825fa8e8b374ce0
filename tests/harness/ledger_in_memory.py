"""What the database holds of one number, in memory: the ledger, the queries and the secret store of unit tests.

They do for one number what the real ones do in SQL, as far as the engine reads it back. Each of their calls stands in
one journal, in order, and any of them can be made to raise.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from migration.errors import BackupNotKept
from state.enums import ENDED, AttemptEnd, Party, Side, Status
from state.errors import BudgetSpent, Conflict, GateClosed, LeaseLost, Outdated, TooEarly
from state.ledger import changes as c
from state.ledger.attempts import NewIntent
from state.ledger.moves import POSITION_COLUMNS, Move
from state.rows import CodeRequestRow, CodeRow, FindingRow, Lease, OpenAttempt, Position, SealedSecret


class Journal:
    """The awaited calls of everything around the executor, in order."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._reactions: dict[str, Callable[[], None]] = {}
        self._raise_at: tuple[int, BaseException] | None = None

    def enter(self, call: str) -> None:
        self.entries.append(call)
        reaction = self._reactions.pop(call, None)
        if reaction is not None:
            reaction()
        if self._raise_at is not None and len(self.entries) == self._raise_at[0]:
            raise self._raise_at[1]

    def raise_at(self, place: int, exc: BaseException) -> None:
        """Let the call at this place of the journal raise, counted from 1, before it has an effect."""
        self._raise_at = (place, exc)

    def during(self, call: str, reaction: Callable[[], None]) -> None:
        """Let something happen while the next call of this name runs."""
        self._reactions[call] = reaction

    def count(self, call: str) -> int:
        return self.entries.count(call)

    def before(self, first: str, then: str) -> bool:
        """Whether the last `first` came before the first `then`."""
        return len(self.entries) - self.entries[::-1].index(first) <= self.entries.index(then)


@dataclass
class NumberInMemory:
    """What the database holds of one number. `gate`: why its gate is closed; `budget_until`: when a call is free."""

    position: Position
    code: CodeRow | None = None
    gate: str | None = None
    gate_closes_at_intent: str | None = None  # after the reading of the gate, before the intent
    budget_left: bool = True
    budget_until: datetime | None = None
    secrets: dict[str, str] = field(default_factory=dict)
    intent_secrets: dict[int, Mapping[str, SecretStr]] = field(default_factory=dict)
    results: dict[str, FindingRow] = field(default_factory=dict)
    notes: dict[str, FindingRow] = field(default_factory=dict)
    open_attempt: OpenAttempt | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    intents: list[NewIntent] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    backup_is_kept: bool = True

    def update(self, **columns: Any) -> None:
        self.position = replace(self.position, **columns)


class MemoryLeases:
    def __init__(self, row: NumberInMemory, now: Callable[[], datetime], journal: Journal) -> None:
        self._row, self._now, self._journal = row, now, journal
        self.claims: list[tuple[str, timedelta, Collection[str]]] = []

    async def acquire(
        self, migration_id: int, holder: str, duration: timedelta, *, exempt: Collection[str] = ()
    ) -> Lease:
        self._journal.enter("leases.acquire")
        self.claims.append((holder, duration, exempt))
        position, now = self._row.position, self._now()
        if position.status in {*ENDED, Status.BLOCKED}:
            raise Conflict(f"{position.ref} is {position.status}")
        if position.status is Status.WAITING and position.waiting_until is not None and position.waiting_until > now:
            raise TooEarly(position.waiting_until, position.waiting_on or Party.US, position.reason or "", now)
        self._row.update(
            status=Status.RUNNING, fence=position.fence + 1, lease_holder=holder, lease_until=now + duration
        )
        return Lease(migration_id, holder, position.fence + 1, now, now + duration, position.version)


class MemoryAttempts:
    def __init__(self, row: NumberInMemory, now: Callable[[], datetime], journal: Journal) -> None:
        self._row, self._now, self._journal = row, now, journal

    async def open(self, lease: Lease, new: NewIntent) -> OpenAttempt:
        self._journal.enter("attempts.open")
        row, now = self._row, self._now()
        _check_lease(row, lease, new.step)
        closed = row.gate_closes_at_intent or row.gate
        if new.gated and closed is not None and row.position.crossed_at is None:
            raise GateClosed(closed)
        if new.budget is not None and not row.budget_left:
            raise BudgetSpent(f"only the reserve of 3 {new.budget} calls is left in this moving 72 h")
        if new.closes is not None:
            _close(row, new.closes.id, AttemptEnd.NOT_DONE, now)
        row.intents.append(new)
        number = row.position.attempts + 1
        side_before = Side(new.facts.get("side_before", Side.UNKNOWN))
        due = now + new.longest_call
        key = f"{lease.migration_id}/{new.step}/{number}"
        attempt = OpenAttempt(
            100 + number,
            number,
            new.step,
            key,
            new.facts,
            side_before,
            now,
            due,
            due + new.settle_for,
            has_secret=new.sealed is not None,
        )
        row.open_attempt = attempt
        row.attempts.append(
            {"id": attempt.id, "number": number, "step": new.step, "ended": None, "ended_at": None, "answer": None}
        )
        row.update(attempts=number, status=Status.RUNNING)
        if new.changes_side:
            dark_by_us = row.position.dark_by_us or side_before in (Side.ON_PREMISES, Side.CLOUD)
            row.update(
                side=Side.UNKNOWN,
                dark_since=row.position.dark_since or now,
                dark_by_us=dark_by_us,
                crossed_at=row.position.crossed_at or now,
            )
        return attempt


class MemoryMoves:
    def __init__(self, row: NumberInMemory, now: Callable[[], datetime], journal: Journal) -> None:
        self._row, self._now, self._journal = row, now, journal

    async def record(self, lease: Lease, move: Move) -> tuple[datetime, Mapping[str, Any]]:
        self._journal.enter("moves.record")
        row, now = self._row, self._now()
        _check_lease(row, lease, move.step)
        row.moves.append(move)
        ended = move.status in ENDED
        row.update(
            next_step=None if ended else move.to or move.step,
            status=move.status,
            ended_at=now if ended else None,
            waiting_until=move.until,
            waiting_on=move.on,
            reason=move.reason,
            runbook=move.runbook,
            tries=move.tries,
            itinerary=move.itinerary or row.position.itinerary,
        )
        for change in move.changes:
            _apply(row, move.step, change, now)
        return now, {column.name: getattr(row.position, column.name) for column in POSITION_COLUMNS}


def _check_lease(row: NumberInMemory, lease: Lease, step: str) -> None:
    if row.position.fence != lease.fence or row.position.next_step != step:
        raise LeaseLost(f"migration {lease.migration_id} is no longer at {step}")
    if row.position.version != lease.version:
        raise Outdated(f"migration {lease.migration_id} was changed since {step} read it")


def _apply(row: NumberInMemory, step: str, change: c.Change, now: datetime) -> None:
    row.update(**_columns_of(change, row.position, now))
    match change:
        case c.AttemptClosed(attempt_id, end, answer):
            _close(row, attempt_id, end, now, answer)
        case c.AttemptRefused(_, answer):
            assert row.open_attempt is not None
            row.open_attempt = replace(row.open_attempt, refusal=answer)
        case c.ResultFound(facts, at):
            row.results[step] = FindingRow(step, at or now, facts)
            row.notes.pop(step, None)
        case c.NoteTaken(facts):
            row.notes[step] = FindingRow(step, now, facts)
        case c.ResultsForgotten(steps):
            for name in steps:
                row.results.pop(name, None)
                row.notes.pop(name, None)
        case c.SecretSealed(_, sealed):
            row.secrets[sealed.name] = sealed.ciphertext.decode()
        case c.CodeUsed():
            row.code = None


def _columns_of(change: c.Change, position: Position, now: datetime) -> dict[str, Any]:
    """What a change sets in the position."""
    match change:
        case c.SideRead(side) if side in (Side.ON_PREMISES, Side.CLOUD):
            return {"side": side, "dark_since": None, "dark_by_us": False}
        case c.ServiceSeen(service):
            return service.columns()
        case c.SideRead(side) | c.SideRestored(side):
            return {"side": side}
        case c.PinKnown(provenance):
            return {"pin_provenance": provenance}
        case c.PinForgotten():
            return {"pin_provenance": None}
        case c.SendersPaused(at):
            return {"paused_at": at}
        case c.SendersResumed():
            return {"paused_at": None}
        case c.EpochRaised():
            return {"epoch": position.epoch + 1}
        case c.ProfileHalted():
            return {"profile_halted_at": now}
        case _:
            return {}


def _close(
    row: NumberInMemory, attempt_id: int, end: AttemptEnd, now: datetime, answer: Mapping[str, Any] | None = None
) -> None:
    if row.open_attempt is None or row.open_attempt.id != attempt_id:
        raise LeaseLost(f"attempt {attempt_id} was closed by another")
    row.open_attempt = None
    for attempt in row.attempts:
        if attempt["id"] == attempt_id:
            attempt |= {"ended": end, "ended_at": now, "answer": answer}


class MemoryLedger:
    def __init__(self, row: NumberInMemory, now: Callable[[], datetime], journal: Journal) -> None:
        self.leases = MemoryLeases(row, now, journal)
        self.attempts = MemoryAttempts(row, now, journal)
        self.moves = MemoryMoves(row, now, journal)


class MemoryPositions:
    def __init__(self, row: NumberInMemory, journal: Journal) -> None:
        self._row, self._journal = row, journal

    async def get(self, migration_id: int) -> Position:
        self._journal.enter("positions.get")
        return self._row.position


class MemoryRecords:
    def __init__(self, row: NumberInMemory, journal: Journal) -> None:
        self._row, self._journal = row, journal

    async def open_attempt(self, migration_id: int) -> OpenAttempt | None:
        self._journal.enter("records.open_attempt")
        return self._row.open_attempt

    async def last_refused(self, migration_id: int, step: str) -> Mapping[str, Any] | None:
        self._journal.enter("records.last_refused")
        refused = [row for row in self._of(step) if row["ended"] is AttemptEnd.REFUSED]
        return refused[-1] if refused else None

    async def last_number(self, migration_id: int, step: str) -> int:
        self._journal.enter("records.last_number")
        return max((int(row["number"]) for row in self._of(step)), default=0)

    async def reopened(self, migration_id: int, step: str) -> int:
        self._journal.enter("records.reopened")
        return sum(1 for move in self._row.moves if move.kind == "reopened" and move.to == step)

    async def without_effect(self, migration_id: int, step: str) -> int:
        self._journal.enter("records.without_effect")
        return sum(1 for row in self._of(step) if row["ended"] is AttemptEnd.NOT_DONE)

    def _of(self, step: str) -> list[dict[str, Any]]:
        return [row for row in self._row.attempts if row["step"] == step]


class MemoryGate:
    def __init__(self, row: NumberInMemory, journal: Journal) -> None:
        self._row, self._journal = row, journal

    async def why_closed(self, migration_id: int, fits_in: timedelta) -> str | None:
        self._journal.enter("gate.why_closed")
        return self._row.gate if self._row.position.crossed_at is None else None

    async def budget_spent(self, phone_number_id: str, call: str) -> tuple[int, datetime | None]:
        self._journal.enter("gate.budget_spent")
        return 7, self._row.budget_until


class MemoryPeople:
    def __init__(self, row: NumberInMemory) -> None:
        self._row = row

    async def code_requests(self, number_id: int) -> tuple[CodeRequestRow, ...]:
        return ()


class MemoryQueries:
    def __init__(self, row: NumberInMemory, now: Callable[[], datetime], journal: Journal) -> None:
        self.positions = MemoryPositions(row, journal)
        self.records = MemoryRecords(row, journal)
        self.gate = MemoryGate(row, journal)
        self.people = MemoryPeople(row)
        self._now, self._journal = now, journal

    async def now(self) -> datetime:
        self._journal.enter("queries.now")
        return self._now()


class MemorySecretStore:
    """Seals by writing down in clear. They are readable once they are recorded."""

    def __init__(self, row: NumberInMemory, journal: Journal) -> None:
        self._row, self._journal = row, journal

    def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        self._journal.enter("secret_store.seal")
        return SealedSecret(name, value.get_secret_value().encode(), b"", "test")

    async def shelve(self, owner: str, name: str, value: SecretStr, lease: tuple[int, int]) -> SealedSecret:
        self._journal.enter("secret_store.shelve")
        if not self._row.backup_is_kept:
            raise BackupNotKept("the backup was read back otherwise than it was written")
        return SealedSecret(name, value.get_secret_value().encode(), b"", "test", f"{owner}-{name}-{lease}")

    async def drop_older_copies(self, owner: str, name: str) -> None: ...

    def seal_intent(self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]) -> SealedSecret | None:
        self._journal.enter("secret_store.seal_intent")
        self._row.intent_secrets[attempt] = secret
        return SealedSecret("intent", b"sealed", b"", "test") if secret else None

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]:
        self._journal.enter("secret_store.open_intent")
        return self._row.intent_secrets.get(attempt, {})
