"""What a worker has read of a number and need not read again for the number's next step.

Whatever arrives for a number raises its version, and whoever takes it raises its fence. While both show that nobody
else was there, its row, findings, notes, code and secrets are as this worker left them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from migration.engine.step_run import StepRun
from migration.steps.number import Number
from migration.steps.reading_cache import ReadingCache
from migration.steps.traffic import outbox_key
from state.enums import AttemptEnd, PinProvenance, Side, Status
from state.ledger.changed_rows import plain
from state.ledger.changes import (
    AttemptClosed,
    Change,
    CodeUsed,
    Compared,
    FactMeasured,
    FactRefuted,
    NoteTaken,
    OutboxAnswered,
    OutsideFailed,
    PinForgotten,
    PinKnown,
    ProfileHalted,
    ResultFound,
    ResultsForgotten,
    ServiceSeen,
    SideRead,
)
from state.ledger.concurrency_limit import SHORT_WAIT
from state.ledger.moves import Move
from state.queries.position_rows import after_move
from state.rows import FindingRow, Lease, Position

REGISTER = "register"

# Seconds. A lease that the last write took for the next step has all its time left for it when that begins by then.
BEGINS_WITHIN_S = 5.0
# The same where what was read since has still to be written: thrown away, it would have to be read again.
WRITTEN_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class KeptNumber:
    """`number` None: it has to be loaded anew. `state` None: so has its row."""

    number: Number | None
    fence: int  # of the lease under which it was left
    version: int
    next_step: str
    lease: Lease | None = None  # for its next step
    state: Position | None = None  # under that lease; without one, as the last write left it
    at: float = 0.0  # when the lease was taken, or that write was made, on the boot-time clock, in seconds
    before: tuple[Move, ...] = ()  # steps that are done and not written
    seen_at: float = 0.0  # the moment of `lease.now`, where that is later than `at`

    @property
    def last_state(self) -> Position | None:
        """Its row, or how it was before its last step."""
        return self.state or (self.number.state if self.number is not None else None)


@dataclass(frozen=True, slots=True)
class Continued:
    """What a run goes on with. `state` None: the row has to be read."""

    lease: Lease
    state: Position | None
    before: tuple[Move, ...]
    leased_at: float


class KeptNumbers:
    """At most one entry for each number that is between two of its steps. `boot_time` in seconds."""

    def __init__(self, boot_time: Callable[[], float] = lambda: 0.0) -> None:
        self._boot_time = boot_time
        self._kept: dict[int, KeptNumber] = {}

    def keep(self, run: StepRun, move: Move, at: datetime, columns: Mapping[str, Any]) -> None:
        """After `move` was recorded at `at`. Of a number that waits for long, or has ended, nothing is kept.

        `columns`: what the write has returned.
        """
        number = number_after(run, move, at)
        if number is not None:
            self._kept[run.lease.migration_id] = KeptNumber(
                number,
                run.lease.fence,
                run.lease.version,
                move.to or move.step,
                state=state_after(run, move, columns),
                at=self._boot_time(),
            )

    def keep_leased(self, run: StepRun, move: Move, lease: Lease, columns: Mapping[str, Any]) -> None:
        """After `move` was recorded together with the lease for the next step. `columns`: what it returned."""
        self._kept[lease.migration_id] = KeptNumber(
            number_after(run, move, lease.now),
            run.lease.fence,
            lease.version,
            move.to or move.step,
            lease,
            state_after(run, move, columns),
            self._boot_time(),
        )

    def keep_unwritten(self, run: StepRun, move: Move) -> bool:
        """Keep a step that only read, to be written with what comes next. False where it has to be written now.

        Under the lease that the run has: its next step is taken at once.
        """
        columns: dict[str, Any] = {"next_step": move.to}
        for change in move.changes:
            match change:
                case ResultFound():
                    pass
                case ServiceSeen(service, None):
                    columns |= service.columns()
                case Compared(found):
                    columns |= found
                case _:
                    return False
        if run.attempt is not None or self._boot_time() - run.leased_at > BEGINS_WITHIN_S:
            return False
        self._kept[run.lease.migration_id] = KeptNumber(
            number_after(run, move, run.number.now),
            run.lease.fence - 1,
            run.lease.version,
            move.to or move.step,
            run.lease,
            replace(run.number.state, **columns),
            run.leased_at,
            (*run.before, move),
            run.began_at,
        )
        return True

    def look_at(self, migration_id: int) -> KeptNumber | None:
        """Without taking it."""
        return self._kept.get(migration_id)

    def row(self, migration_id: int) -> Position | None:
        """Its row as a write left it a moment ago, without a lease. Whoever uses it compares version and fence."""
        kept = self._kept.get(migration_id)
        if kept is None or kept.lease is not None or self._boot_time() - kept.at > BEGINS_WITHIN_S:
            return None
        return kept.state

    def go_on(self, migration_id: int) -> Continued | None:
        """The lease that was taken for the next step, at this moment, with what stands under it. Given once."""
        kept = self._kept.get(migration_id)
        if kept is None or kept.lease is None:
            return None
        self._kept[migration_id] = replace(kept, lease=None, state=None, before=())
        now = self._boot_time()
        if now - kept.at > (WRITTEN_WITHIN_S if kept.before else BEGINS_WITHIN_S):
            if not kept.before:
                self.given_up(kept.lease)
            return None
        since = timedelta(seconds=now - max(kept.at, kept.seen_at))
        lease = replace(kept.lease, now=kept.lease.now + since)
        return Continued(lease, kept.state, kept.before, kept.at)

    def given_up(self, lease: Lease) -> None:
        """The next step is taken under a later lease than this one; all that was read is written."""
        kept = self._kept.get(lease.migration_id)
        if kept is not None:
            self._kept[lease.migration_id] = replace(kept, fence=lease.fence)

    def take(self, lease: Lease, version: int) -> Number | None:
        """The number, where nobody has taken or changed it since it was kept. `version`: as it was read just now."""
        kept = self._kept.pop(lease.migration_id, None)
        if kept is None or (kept.fence + 1, kept.version) != (lease.fence, version):
            return None
        return kept.number


def number_after(run: StepRun, move: Move, at: datetime) -> Number | None:
    """The number with what the move has changed of its findings; None where more has changed than that."""
    waits = move.status is Status.WAITING and move.until is not None and move.until - at <= SHORT_WAIT
    goes_on = move.status is Status.READY or waits
    # While its call was out something arrived: the PIN, its profile or its account may be another one now.
    if not goes_on or move.itinerary is not None or run.changed_meanwhile:
        return None
    results, notes = dict(run.number.results), dict(run.number.notes)
    open_attempt = run.attempt
    for change in move.changes:
        match change:
            case CodeUsed() | FactRefuted() | FactMeasured():
                return None
            case AttemptClosed(attempt_id) if open_attempt is not None and attempt_id == open_attempt.id:
                open_attempt = None
            case ResultFound(facts, since):
                results[move.step] = FindingRow(move.step, since or at, _plain(facts))
                notes.pop(move.step, None)
            case NoteTaken(facts):
                notes[move.step] = FindingRow(move.step, at, _plain(facts))
            case ResultsForgotten(steps):
                for step in steps:
                    results.pop(step, None)
                    notes.pop(step, None)
    if open_attempt is not None:
        return None
    # What both sides showed before a wait says nothing about the time after it.
    cache = ReadingCache() if waits else run.number.reading_cache
    return replace(run.number, results=results, notes=notes, reading_cache=cache)


def state_after(run: StepRun, move: Move, columns: Mapping[str, Any]) -> Position | None:
    """The row after the move, whose own `columns` were returned; None where other tables may show it otherwise now."""
    if run.changed_meanwhile:
        return None
    shown: dict[str, Any] = {}
    if run.contract.budget == REGISTER and run.called:
        shown["register_sent"] = True
    for change in move.changes:
        of_change = _shown_after(run, move, change)
        if of_change is None:
            return None
        shown |= of_change
    return after_move(run.number.state, {**columns, **shown})


def _shown_after(run: StepRun, move: Move, change: Change) -> Mapping[str, Any] | None:
    """What a row shows of other tables after one change; None where that is not known."""
    match change:
        case FactRefuted() | FactMeasured() | ProfileHalted() | OutsideFailed():
            return None
        case AttemptClosed(end=AttemptEnd.NEVER_LEFT):
            return None
        case AttemptClosed(end=AttemptEnd.DONE) if move.step == REGISTER:
            return {"terms_known": True}
        case OutboxAnswered(key) if move.step == "switch_route":
            goes_to = _announced(run, key)
            return None if goes_to is None else {"route": goes_to}
        case SideRead(Side.ON_PREMISES):
            return {"sides_read": True, "onprem_off_stated_by": None, "onprem_off_stated_at": None}
        case SideRead():
            return {"sides_read": True}
        case PinKnown(provenance):
            return {"pin_provenance": PinProvenance(provenance)}
        case PinForgotten():
            return {"pin_provenance": None}
        case _:
            return {}


def _announced(run: StepRun, key: str) -> str | None:
    """Where the announcement under this key sends the senders; None where it is another than the open call's."""
    body = run.attempt.intent.get("body") if run.attempt is not None else None
    return str(body["to"]) if body is not None and outbox_key(body) == key else None


def _plain(facts: Mapping[str, object]) -> Mapping[str, object]:
    return plain(facts) or {}
