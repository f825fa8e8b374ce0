"""Lease, check, probe, intent, call, record: one step of one number. The only caller of the ledger's moves."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from migration.clock import Clock
from migration.engine.failures import UNKNOWN_OUTCOME, FailurePolicy
from migration.engine.itineraries import ItineraryName, itinerary_named
from migration.engine.recorder import SPOKEN, Keeper, StepRecorder
from migration.errors import BackupNotKept, CredentialsRefused, OutcomeUnknown, Rejected, Transient
from migration.steps.protocol import (
    Blocked,
    CannotTell,
    Done,
    Draft,
    Evidence,
    Held,
    Intent,
    NotDone,
    Number,
    Outcome,
    Reopen,
    Waiting,
)
from state.enums import AttemptEnd, Party, Promise, Side
from state.errors import BudgetSpent, GateClosed, TooEarly
from state.ledger import Ledger, NewIntent
from state.queries import Queries
from state.rows import OpenAttempt, Position

# From the moment an intent is measured to the moment its first byte may leave.
SEND_WITHIN = timedelta(seconds=5)
# Numbers on these ways are in need: they do not wait until their wave has room for one more.
FREE = frozenset({ItineraryName.ABORT.value, ItineraryName.BACK_TO_ONPREM.value, ItineraryName.FORWARD_RECOVERY.value})
# What a worker may take for reading before it commits an intent.
READING = timedelta(seconds=45)
# Between the last moment an answer can come and the moment another worker may take over.
LEASE_MARGIN = timedelta(seconds=10)

NO_BACKUP_PAGE = "runbooks/no-backup.md"


class Views(Protocol):
    """Makes the number that a step sees: clients bound to it, opened nothing yet."""

    async def of(self, position: Position, now: datetime) -> Number: ...


class StepExecutor:
    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        views: Views,
        keeper: Keeper,
        clock: Clock,
        holder: str,
        read_sides: Callable[[Number], Awaitable[Evidence]],
    ) -> None:
        self._ledger = ledger
        self._queries = queries
        self._views = views
        self._keeper = keeper
        self._clock = clock
        self._holder = holder
        self._read_sides = read_sides
        self._setbacks = FailurePolicy(queries, read_sides)
        self._ahead = timedelta()  # of our clock: the database's, when it was last asked

    def now(self) -> datetime:
        """The database's time, which waits are measured by: our own clock may be wrong, and may be set."""
        return self._clock.now() + self._ahead

    async def run_next(self, migration_id: int) -> Outcome:
        """Take the next step of one number as far as it goes now; before a wait of it is over, answer that wait again.

        Raises LeaseLost while another worker holds the number, NoTurn while its wave moves enough others, Conflict
        when it has ended or is blocked, NotFound. Safe to call again at any time, after any kill.
        """
        try:
            lease = await self._ledger.leases.acquire(migration_id, self._holder, READING, free=FREE)
        except TooEarly as exc:
            self._ahead = exc.now - self._clock.now()
            return Waiting(exc.until, exc.on, exc.reason)
        self._ahead = lease.now - self._clock.now()
        position = await self._queries.position(migration_id)
        itinerary = itinerary_named(position.itinerary)
        leg = itinerary.leg(position.next_step or "")
        number = await self._views.of(position, lease.now)
        attempt = await self._queries.open_attempt(migration_id)
        record = StepRecorder(self._ledger, self._keeper, itinerary, leg, lease, number, attempt)
        try:
            if attempt is not None:
                return await self._settle(record, attempt)
            return await self._begin(record)
        except Transient as exc:
            return await self._setbacks.unread(record, exc)
        except CredentialsRefused as exc:
            return await self._setbacks.credentials(record, exc, None)
        except Rejected as exc:
            return await self._setbacks.refused_reading(record, exc)

    # -- before a first call

    async def _begin(self, record: StepRecorder) -> Outcome:
        leg, number = record.leg, record.number
        step = leg.step
        if record.still_fresh():
            return await record.advanced(Evidence(dict(number.result_of(step.name))), None, kind="still_good")
        verdict = await self._must_not(record)
        if verdict is not None:
            return await self._verdict(record, verdict)
        if step.promise is Promise.READ:
            nothing = Intent("", {}, {}, number.now, number.now, 0.0)
            return await self._looked(record, await step.apply(number, nothing))
        match await step.probe(number, None):
            case Done(evidence):
                return await record.advanced(evidence, None, kind="already_in_place")
            case CannotTell(recheck_at, reason, seen, on):
                return await record.outcome(Waiting(recheck_at, on, reason, seen))
            case NotDone(_, Side.ON_PREMISES | Side.CLOUD | Side.NEITHER as side):
                number = record.on(side)  # nearer than what is on record: who goes dark by this call was served before
        return await self._attempt(record, await step.prepare(number), None, None)

    async def _looked(self, record: StepRecorder, seen: Evidence | CannotTell | Blocked) -> Outcome:
        match seen:
            case Evidence():
                return await record.advanced(seen, None)
            case CannotTell(recheck_at, reason, noted, on):
                return await record.outcome(Waiting(recheck_at, on, reason, noted))
            case Blocked() if record.leg.optional:
                return await record.passed_over(seen.reason, None)
            case Blocked(side=side):
                # Its note ends here: whoever has it looked at again gives it as much time as at first.
                return await record.outcome(seen, side=Evidence(side=side), note={})

    async def _must_not(self, record: StepRecorder) -> None | Waiting | Blocked | Held | Reopen:
        """Gate, stale inputs and the step's own check, in that order: all of them reads."""
        leg, number = record.leg, record.number
        # Under a token that was refused nothing is sent to Graph any more; words to the partner's senders still are.
        halted = number.state.profile_halted_at is not None and leg.step.name not in SPOKEN
        if leg.gated or halted:
            closed = await self._queries.why_gate_closed(number.state.migration_id, leg.fits_in)
            if closed is not None:
                return Held(closed)
        if leg.changes_side:
            stale = record.stale_input()
            if stale is not None:
                return Reopen(stale, f"{stale} is too old for {leg.step.name}")
        return await leg.step.check(number)

    async def _verdict(
        self,
        record: StepRecorder,
        verdict: Waiting | Blocked | Held | Reopen,
        attempt: OpenAttempt | None = None,
    ) -> Outcome:
        if isinstance(verdict, Blocked) and record.leg.optional:
            return await record.passed_over(verdict.reason, attempt, AttemptEnd.NOT_DONE)
        return await record.outcome(verdict, attempt, end=AttemptEnd.NOT_DONE if attempt else None)

    # -- the call

    async def _attempt(
        self,
        record: StepRecorder,
        draft: Draft,
        closes: OpenAttempt | None,
        witnesses: Mapping[str, Any] | None,
    ) -> Outcome:
        leg, number = record.leg, record.number
        step, at = leg.step, number.state
        sealed = await self._keeper.seal_intent(at.migration_id, at.attempts + 1, draft.secret)
        # Measured before the commit: a worker stopped anywhere from here on wakes to a passed deadline.
        send_by = self._clock.boot() + SEND_WITHIN.total_seconds()
        new = NewIntent(
            step=step.name,
            facts={**draft.facts, "side_before": at.side if closes is None else closes.side_before},
            sealed=sealed,
            longest=step.longest_call + SEND_WITHIN,
            settle=step.settle_for,
            lease_margin=LEASE_MARGIN,
            changes_side=leg.changes_side,
            gated=leg.gated,
            fits_in=leg.fits_in,
            budget=step.budget,
            announcement=draft.announcement,
            closes=closes,
            witnesses=witnesses,
        )
        try:
            attempt = await self._ledger.attempts.open(record.lease, new)
        except BudgetSpent as exc:
            return await self._setbacks.budget_spent(record, exc, closes)
        except GateClosed as exc:
            return await record.outcome(Held(str(exc)))
        record.open = attempt
        intent = Intent(attempt.key, draft.facts, draft.secret, attempt.opened_at, attempt.answer_due, send_by)
        return await self._call(record, attempt, intent)

    async def _call(self, record: StepRecorder, attempt: OpenAttempt, intent: Intent) -> Outcome:
        number, step = record.number, record.leg.step
        try:
            evidence = await step.apply(number, intent)
        except OutcomeUnknown as exc:
            return await self._unanswered(record, attempt, intent, str(exc))
        except Transient as exc:
            if exc.left:
                return await self._setbacks.refused(record, attempt, exc)
            return await self._setbacks.never_left(record, attempt, exc)
        except CredentialsRefused as exc:
            return await self._setbacks.credentials(record, exc, attempt)
        except Rejected as exc:
            return await self._setbacks.refused(record, attempt, exc)
        match evidence:
            case CannotTell(recheck_at, reason, seen, on):
                return await record.outcome(Waiting(recheck_at, on, reason, seen))
            case Blocked():
                return await record.outcome(evidence, attempt, end=AttemptEnd.REFUSED)
        try:
            return await record.advanced(evidence, attempt)
        except BackupNotKept as exc:
            # Also where the step is optional: a backup was possible, so nothing irreversible may come before it.
            return await record.outcome(Blocked(str(exc), NO_BACKUP_PAGE), attempt, end=AttemptEnd.NOT_DONE)

    async def _unanswered(self, record: StepRecorder, attempt: OpenAttempt, intent: Intent, why: str) -> Outcome:
        """No answer: it may have happened. Ask the world at once, because the outage may already be over."""
        await record.mark("unanswered", {"attempt": attempt.number, "why": why})
        return await self._probe_open(record, attempt, intent)

    # -- an attempt that has not been accounted for

    async def _settle(self, record: StepRecorder, attempt: OpenAttempt) -> Outcome:
        secret = await self._keeper.open_intent(record.number.state.migration_id, attempt.number)
        facts = {name: value for name, value in attempt.intent.items() if name != "side_before"}
        intent = Intent(attempt.key, facts, secret, attempt.opened_at, attempt.answer_due, 0.0)
        return await self._probe_open(record, attempt, intent)

    async def _probe_open(self, record: StepRecorder, attempt: OpenAttempt, intent: Intent) -> Outcome:
        number, step = record.number, record.leg.step
        now = await self._queries.now()
        number = record.at_time(now)
        match await step.probe(number, intent):
            case Done(evidence):
                return await record.advanced(evidence, attempt, kind="settled")
            case NotDone(witnesses):
                if now < attempt.answer_due:
                    # The call may still be in flight: absent now is no proof, and a second call would be one too many.
                    again = min(attempt.answer_due, now + timedelta(seconds=5))
                    return await record.outcome(Waiting(again, Party.META, "an earlier call may still be in flight"))
                return await self._repeat(record, attempt, intent, witnesses)
            case CannotTell(recheck_at, reason, seen, on):
                if now >= attempt.settle_by:
                    return await record.outcome(
                        Blocked(f"{step.name}: the outcome is not known: {reason}", UNKNOWN_OUTCOME),
                        note=seen,
                    )
                return await record.outcome(Waiting(recheck_at, on, reason, seen))

    async def _repeat(
        self, record: StepRecorder, attempt: OpenAttempt, intent: Intent, witnesses: Mapping[str, Any]
    ) -> Outcome:
        verdict = await self._must_not(record)
        if verdict is not None:
            if record.leg.changes_side:
                evidence = await self._read_sides(record.number)
                return await record.outcome(verdict, attempt, end=AttemptEnd.NOT_DONE, side=evidence, answer=witnesses)
            return await self._verdict(record, verdict, attempt)
        # The same draft again: what it invented may already be in force at the other side.
        return await self._attempt(record, Draft(intent.facts, intent.secret), attempt, witnesses)
