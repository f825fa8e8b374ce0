"""Lease, check, probe, intent, call, record: one step of one number. The only caller of the ledger's moves."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from migration.clock import Clock
from migration.errors import BackupNotKept, CredentialsRefused, OutcomeUnknown, Rejected, Throttled, Transient
from migration.itinerary import Name, itinerary_named
from migration.record import SPOKEN, Keeper, NumberRecord
from migration.refusals import REFUSED_PAGE, WRONG_PIN_PAGE, Refused, Response, outcome_of, page_of
from migration.step import (
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
    Switch,
    Waiting,
)
from state.errors import BudgetSpent, GateClosed, TooEarly
from state.ledger import Ledger, NewIntent
from state.queries import Queries
from state.rows import OpenAttempt, Position
from state.sides import AttemptEnd, Party, Promise, Side

# From the moment an intent is measured to the moment its first byte may leave.
SEND_WITHIN = timedelta(seconds=5)
# Numbers on these ways are in need: they do not wait until their wave has room for one more.
FREE = frozenset({Name.ABORT.value, Name.BACK_TO_ONPREM.value, Name.FORWARD_RECOVERY.value})
# What a worker may take for reading before it commits an intent.
READING = timedelta(seconds=45)
# Between the last moment an answer can come and the moment another worker may take over.
LEASE_MARGIN = timedelta(seconds=10)
BACKOFF_CAP = timedelta(minutes=5)
TRIES_BEFORE_A_PERSON = 8

UNKNOWN_OUTCOME = "runbooks/unknown-outcome.md"
FAR_SIDE_DOWN = "runbooks/far-side-down.md"
BUDGET_PAGE = "runbooks/budget-spent.md"
NO_BACKUP_PAGE = "runbooks/no-backup.md"


class Views(Protocol):
    """Makes the number that a step sees: clients bound to it, opened nothing yet."""

    async def of(self, position: Position, now: datetime) -> Number: ...


class Engine:
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
        self._ahead = timedelta()  # of our clock: the database's, when it was last asked

    def now(self) -> datetime:
        """The database's time, which waits are measured by: our own clock may be wrong, and may be set."""
        return self._clock.now() + self._ahead

    async def take(self, migration_id: int) -> Outcome:
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
        record = NumberRecord(self._ledger, self._keeper, itinerary, leg, lease, number, attempt)
        try:
            if attempt is not None:
                return await self._settle(record, attempt)
            return await self._begin(record)
        except Transient as exc:
            return await self._later(record, exc)
        except CredentialsRefused as exc:
            return await self._credentials(record, exc, None)
        except Rejected as exc:
            return await self._refused_reading(record, exc)

    # -- before a first call

    async def _begin(self, record: NumberRecord) -> Outcome:
        leg, number = record.leg, record.number
        step = leg.step
        if record.still_fresh():
            return await record.advanced(Evidence(dict(number.found(step.name))), None, kind="still_good")
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

    async def _looked(self, record: NumberRecord, seen: Evidence | CannotTell | Blocked) -> Outcome:
        match seen:
            case Evidence():
                return await record.advanced(seen, None)
            case CannotTell(recheck_at, reason, noted, on):
                return await record.outcome(Waiting(recheck_at, on, reason, noted))
            case Blocked() if record.leg.optional:
                return await self._passed_over(record, seen.reason, None)
            case Blocked(side=side):
                # Its note ends here: whoever has it looked at again gives it as much time as at first.
                return await record.outcome(seen, side=Evidence(side=side), note={})

    async def _must_not(self, record: NumberRecord) -> None | Waiting | Blocked | Held | Reopen:
        """Gate, stale inputs and the step's own check, in that order: all of them reads."""
        leg, number = record.leg, record.number
        # Under a token that was refused nothing is sent to Graph any more; words to the partner's senders still are.
        halted = number.at.profile_halted_at is not None and leg.step.name not in SPOKEN
        if leg.gated or halted:
            closed = await self._queries.why_gate_closed(number.at.migration_id, leg.fits_in)
            if closed is not None:
                return Held(closed)
        if leg.changes_side:
            stale = record.stale_input()
            if stale is not None:
                return Reopen(stale, f"{stale} is too old for {leg.step.name}")
        return await leg.step.check(number)

    async def _verdict(
        self,
        record: NumberRecord,
        verdict: Waiting | Blocked | Held | Reopen,
        attempt: OpenAttempt | None = None,
    ) -> Outcome:
        if isinstance(verdict, Blocked) and record.leg.optional:
            return await self._passed_over(record, verdict.reason, attempt, AttemptEnd.NOT_DONE)
        return await record.outcome(verdict, attempt, end=AttemptEnd.NOT_DONE if attempt else None)

    async def _passed_over(
        self, record: NumberRecord, why: str, attempt: OpenAttempt | None, end: AttemptEnd = AttemptEnd.REFUSED
    ) -> Outcome:
        return await record.advanced(Evidence({"skipped": why}), attempt, kind="passed_over", end=end)

    # -- the call

    async def _attempt(
        self,
        record: NumberRecord,
        draft: Draft,
        closes: OpenAttempt | None,
        witnesses: Mapping[str, Any] | None,
    ) -> Outcome:
        leg, number = record.leg, record.number
        step, at = leg.step, number.at
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
            return await self._budget_spent(record, exc, closes)
        except GateClosed as exc:
            return await record.outcome(Held(str(exc)))
        record.open = attempt
        intent = Intent(attempt.key, draft.facts, draft.secret, attempt.opened_at, attempt.answer_due, send_by)
        return await self._call(record, attempt, intent)

    async def _call(self, record: NumberRecord, attempt: OpenAttempt, intent: Intent) -> Outcome:
        number, step = record.number, record.leg.step
        try:
            evidence = await step.apply(number, intent)
        except OutcomeUnknown as exc:
            return await self._unanswered(record, attempt, intent, str(exc))
        except Transient as exc:
            if exc.left:
                return await self._refused(record, attempt, exc)
            return await self._never_left(record, attempt, exc)
        except CredentialsRefused as exc:
            return await self._credentials(record, exc, attempt)
        except Rejected as exc:
            return await self._refused(record, attempt, exc)
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

    async def _unanswered(self, record: NumberRecord, attempt: OpenAttempt, intent: Intent, why: str) -> Outcome:
        """No answer: it may have happened. Ask the world at once, because the outage may already be over."""
        await record.mark("unanswered", {"attempt": attempt.number, "why": why})
        return await self._probe_open(record, attempt, intent)

    async def _never_left(self, record: NumberRecord, attempt: OpenAttempt, exc: Transient) -> Outcome:
        outcome = self._backoff(record, exc)
        return await record.outcome(
            outcome, attempt, end=AttemptEnd.NEVER_LEFT, side_back=attempt.side_before, failed=True
        )

    # -- an attempt that has not been accounted for

    async def _settle(self, record: NumberRecord, attempt: OpenAttempt) -> Outcome:
        secret = await self._keeper.open_intent(record.number.at.migration_id, attempt.number)
        facts = {name: value for name, value in attempt.intent.items() if name != "side_before"}
        intent = Intent(attempt.key, facts, secret, attempt.opened_at, attempt.answer_due, 0.0)
        return await self._probe_open(record, attempt, intent)

    async def _probe_open(self, record: NumberRecord, attempt: OpenAttempt, intent: Intent) -> Outcome:
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
        self, record: NumberRecord, attempt: OpenAttempt, intent: Intent, witnesses: Mapping[str, Any]
    ) -> Outcome:
        verdict = await self._must_not(record)
        if verdict is not None:
            if record.leg.changes_side:
                evidence = await self._read_sides(record.number)
                return await record.outcome(verdict, attempt, end=AttemptEnd.NOT_DONE, side=evidence, answer=witnesses)
            return await self._verdict(record, verdict, attempt)
        # The same draft again: what it invented may already be in force at the other side.
        return await self._attempt(record, Draft(intent.facts, intent.secret), attempt, witnesses)

    # -- refusals

    async def _refused(self, record: NumberRecord, attempt: OpenAttempt, exc: Transient | Rejected) -> Outcome:
        """An answer that says no. For a probed call that is not the same as nothing happened: read both sides."""
        step = record.leg.step
        side = await self._sides_after(record) if record.leg.changes_side else None
        if side is not None and side.side is Side.CLOUD and step.name == "register":
            return await record.advanced(replace(side, facts={**side.facts, "answer": str(exc)}), attempt)
        outcome = await self._sent_back_once(record, attempt, self._response(record, exc))
        if isinstance(outcome, Blocked) and record.leg.optional:
            return await self._passed_over(record, outcome.reason, attempt)
        return await record.outcome(
            outcome,
            attempt,
            end=AttemptEnd.REFUSED,
            side=side,
            answer={"refused": str(exc), "code": getattr(exc, "code", None)},
            failed=isinstance(outcome, Waiting),
            # A PIN that Meta has refused is of unknown provenance from now on, whoever set it.
            forget_pin=isinstance(outcome, Blocked) and outcome.runbook == WRONG_PIN_PAGE,
        )

    async def _sides_after(self, record: NumberRecord) -> Evidence | None:
        """None where a side cannot be read now. The refusal is recorded all the same: forgotten, it would be met again,
        and a wrong PIN sent twice."""
        try:
            return await self._read_sides(record.number)
        except (Transient, Rejected):
            return None

    async def _sent_back_once(
        self, record: NumberRecord, attempt: OpenAttempt, outcome: Waiting | Blocked | Reopen | Switch
    ) -> Waiting | Blocked | Reopen | Switch:
        """Sent back to a step that then had nothing to do, the same call would be refused again until none is left."""
        if not isinstance(outcome, Reopen) or outcome.step == attempt.step:
            return outcome
        for earlier in reversed(await self._queries.attempts(record.number.at.migration_id)):
            if earlier["step"] == outcome.step:
                break
            if earlier["step"] == attempt.step and earlier["ended"] == AttemptEnd.REFUSED:
                return Blocked(f"{outcome.because}; {outcome.step} found nothing to do", REFUSED_PAGE.runbook)
        return outcome

    async def _refused_reading(self, record: NumberRecord, exc: Rejected) -> Outcome:
        """A read was refused; an open attempt stays open, for nothing was learnt about it."""
        outcome = self._response(record, exc)
        if isinstance(outcome, Blocked) and record.leg.optional and record.open is None:
            return await self._passed_over(record, outcome.reason, None)
        if isinstance(outcome, Reopen | Switch) and record.open is not None:
            outcome = Blocked(outcome.because, UNKNOWN_OUTCOME)  # the cursor stays where the open call was made
        return await record.outcome(outcome)

    def _response(self, record: NumberRecord, exc: Transient | Rejected) -> Waiting | Blocked | Reopen | Switch:
        step = record.leg.step.name
        if isinstance(exc, Transient):
            return self._backoff(record, exc)
        told: Response = outcome_of(Refused(step, exc.code, exc.subcode, exc.details, exc.wait))
        outcome = told.at(record.number.now)
        if isinstance(outcome, Waiting):
            return self._waited_out(record, outcome)
        if isinstance(outcome, Reopen) and not record.itinerary.has(outcome.step):
            return Blocked(outcome.because, REFUSED_PAGE.runbook)  # another way is a person's choice
        return outcome

    def _waited_out(self, record: NumberRecord, told: Waiting) -> Waiting | Blocked:
        """Longer each time; after so many it is no longer the lag, or the pause, that the table takes it for."""
        at = record.number.at
        if at.tries + 1 >= TRIES_BEFORE_A_PERSON:
            return Blocked(f"{told.reason} ({at.tries + 1} times)", page_of(record.leg.step.name))
        return replace(told, until=max(told.until, record.number.now + self._pause(at)))

    async def _credentials(self, record: NumberRecord, exc: CredentialsRefused, refused: OpenAttempt | None) -> Outcome:
        """A dead token is nobody's fault but its profile's: halt that one and no other.

        `refused`: the attempt whose own call was refused; a refused read says nothing about one that is open.
        """
        if exc.on == "onprem":
            return await self._refused_login(record, exc, refused)
        at = record.number.at
        because = f"Graph refused the token (code {exc.code})"
        return await record.outcome(
            Held(f"credential profile {at.profile} is halted: {because}"),
            refused,
            end=AttemptEnd.REFUSED if refused else None,
            # Authentication is checked before anything else, so a refused token cannot have moved the number.
            side_back=refused.side_before if refused else None,
            halts=(at.profile_id, because),
        )

    async def _refused_login(
        self, record: NumberRecord, exc: CredentialsRefused, refused: OpenAttempt | None
    ) -> Outcome:
        name = record.number.at.instance.name if record.number.at.instance else "?"
        verdict = Blocked(f"instance {name} refuses the login: {exc.details}", "runbooks/onprem-login.md")
        if record.leg.optional and (refused or record.open is None):
            return await self._passed_over(record, verdict.reason, refused)
        return await record.outcome(
            verdict,
            refused,
            end=AttemptEnd.REFUSED if refused else None,
            side_back=refused.side_before if refused else None,
        )

    # -- waiting

    async def _later(self, record: NumberRecord, exc: Transient) -> Outcome:
        """A read failed, before an intent or while settling one."""
        outcome = self._backoff(record, exc)
        if isinstance(outcome, Blocked) and record.open is None and record.leg.optional:
            return await self._passed_over(record, outcome.reason, None)
        if isinstance(outcome, Blocked) and record.open is not None:
            outcome = Blocked(f"{record.leg.step.name}: the outcome is not known: {exc}", UNKNOWN_OUTCOME)
        return await record.outcome(outcome, failed=True)

    def _backoff(self, record: NumberRecord, exc: Transient) -> Waiting | Blocked:
        at = record.number.at
        tries_allowed = 3 if record.leg.optional else TRIES_BEFORE_A_PERSON
        if at.tries + 1 >= tries_allowed and at.crossed_at is None and not isinstance(exc, Throttled):
            return Blocked(f"{record.leg.step.name}: {exc} ({at.tries + 1} tries)", FAR_SIDE_DOWN)
        wait = self._pause(at)
        if isinstance(exc, Throttled):
            wait = max(wait, exc.retry_after)
        return Waiting(record.number.now + wait, Party.META, str(exc))

    def _pause(self, at: Position) -> timedelta:
        return min(timedelta(seconds=2.0 ** min(at.tries + 1, 9)), BACKOFF_CAP)

    async def _budget_spent(self, record: NumberRecord, exc: BudgetSpent, closes: OpenAttempt | None) -> Outcome:
        call = record.leg.step.budget or ""
        _, until = await self._queries.budget_spent(record.number.at.phone_number_id, call)
        serving = record.number.at.side is Side.ON_PREMISES
        verdict: Waiting | Blocked = Blocked(str(exc), BUDGET_PAGE)
        if serving and until is not None:
            verdict = Waiting(until, Party.OPERATOR, f"{exc}; see {BUDGET_PAGE}")
        if closes is None:
            return await record.outcome(verdict)
        side = await self._read_sides(record.number)
        return await record.outcome(verdict, closes, end=AttemptEnd.NOT_DONE, side=side)
