"""One step of one number: lease, check, probe, intent, call, record.

Reads from top to bottom. It decides with `failures`, writes with `recorder`, and is the only caller of both.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol, TypeVar

from migration.clock import Clock
from migration.engine.barrier import (
    INTERNAL_ERROR_PAGE,
    concerns_every_number,
    log_unexpected,
    log_unwritten,
    reason_of,
)
from migration.engine.call_admission import CallAdmission
from migration.engine.decisions import Closing, Decision, advance, pass_over, wait_for
from migration.engine.failures import FailurePolicy
from migration.engine.itineraries import ITINERARIES, itinerary_named
from migration.engine.kept_numbers import Continued, KeptNumbers
from migration.engine.obstacles import Obstacles
from migration.engine.outside_failures import counted_failure, too_often
from migration.engine.person_at_the_phone import LOOKED_AT_AGAIN
from migration.engine.places import UNLIMITED, Place, place_of, under_lease
from migration.engine.recorder import SecretKeeper, StepRecorder
from migration.engine.refused_calls import record_of
from migration.engine.reopening import bounded
from migration.engine.settlement import NoEffect, Settlement
from migration.engine.step_run import READING, SEND_WITHIN, StepRun
from migration.engine.transition_log import log_position, log_transition
from migration.errors import BackupNotKept, CredentialsRefused, OutcomeUnknown, Rejected, Stopped, Throttled, Transient
from migration.runtime.stop_request import StopRequest
from migration.steps.number import Number
from migration.steps.outcomes import (
    Blocked,
    CannotTell,
    Done,
    Draft,
    Evidence,
    Held,
    Intent,
    NotDone,
    Outcome,
    Reopen,
    Waiting,
)
from state.database import is_database_error
from state.enums import AttemptEnd, Party, Promise, Side, Status
from state.errors import BudgetSpent, GateClosed, LeaseLost, Outdated, StateError, TooEarly, TooManyCodes
from state.ledger.attempts import NewIntent
from state.ledger.changes import AttemptRefused, Change
from state.ledger.ledger import Ledger
from state.ledger.moves import Move, as_one
from state.queries.due import Crossing
from state.queries.queries import Queries
from state.rows import Lease, OpenAttempt, Position

# Between the last moment an answer can come and the moment another worker may take over.
LEASE_MARGIN = timedelta(seconds=10)

# How often a number is read again because something arrived for it while it was decided about.
READS_BEFORE_A_LATER_TRY = 5

# Between two tries to write what a call was answered.
WRITE_AGAIN_S = 1.0

NO_BACKUP_PAGE = "runbooks/no-backup.md"


T = TypeVar("T")


class NumberSource(Protocol):
    """Makes the number that a step sees, with clients bound to it; opens no connection."""

    async def load(self, position: Position, now: datetime) -> Number: ...

    def again(self, number: Number, position: Position, now: datetime) -> Number | None:
        """The number at its new position, with what was read of it before; None where it has to be loaded anew."""


class StepExecutor:
    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        numbers: NumberSource,
        secrets: SecretKeeper,
        clock: Clock,
        holder: str,
        read_sides: Callable[[Number], Awaitable[Evidence]],
        stop: StopRequest,
        admission: CallAdmission,
        kept: KeptNumbers,
        codes_per_operator: int = 0,
    ) -> None:
        self._ledger = ledger
        self._queries = queries
        self._numbers = numbers
        self._secrets = secrets
        self._clock = clock
        self._holder = holder
        self._stop = stop
        self._admission = admission
        self._read_sides = read_sides
        self._kept = kept
        self._recorder = StepRecorder(ledger.moves, secrets, kept)
        self._obstacles = Obstacles(queries, codes_per_operator)
        self._failures = FailurePolicy(queries, read_sides)
        self._settlement = Settlement(queries, self._failures, read_sides)
        self._ahead = timedelta()  # of our clock: the database's, when it was last read

    def now(self) -> datetime:
        """The database's time, which waits are measured by: our own clock may be wrong, and may be set."""
        return self._clock.now() + self._ahead

    async def crossing_now(self) -> Crossing:
        """What all workers of this database have across."""
        return await self._queries.due.crossing_now()

    async def look(self, migration_id: int) -> tuple[Place, Position | None]:
        """Where the number is before its next step, and its row where it had to be read for that.

        An unknown number, a lost database, or a row that this release does not understand is the step's to report:
        only there one number's surprise is a block of that number.
        """
        kept = self._kept.look_at(migration_id)
        if kept is not None and kept.last_state is not None:
            return place_of(kept.last_state, kept.next_step), None
        try:
            state = await self._queries.positions.get(migration_id)
            return place_of(state, state.next_step or ""), state
        except Exception:  # noqa: BLE001 - the step meets it again, behind its barrier
            return Place.BEFORE_GATE, None

    async def settle(self, migration_id: int) -> Outcome | None:
        """Find out what became of a call without an answer, and make no call. None where no call is open.

        Raises what `run_next` raises, but no ConcurrencyLimitReached.
        """
        if await self._queries.records.open_attempt(migration_id) is None:
            return None
        return await self.run_next(migration_id, settle_only=True)

    async def run_next(
        self,
        migration_id: int,
        seen: Position | None = None,
        *,
        settle_only: bool = False,
        goes_on: bool = False,
    ) -> Outcome:
        """Take the next step of one number as far as it goes now. A wait that is not over is answered again.

        `seen`: its row, where it was read just now; it is not read again where nobody has changed it since.
        `goes_on`: the caller takes the next step at once, so this one's write takes the number for it; whoever does
        not go on after all calls `let_go`.

        Raises LeaseLost while another worker holds the number, ConcurrencyLimitReached while its wave moves as many
        numbers as it may, Conflict when it has ended or is blocked, NotFound. Safe to call again after any kill.
        Raises Stopped where this worker was asked to stop and the number has not crossed.
        """
        continued = None if settle_only else self._kept.go_on(migration_id)
        lease = continued.lease if continued is not None else None
        try:
            if self._stop.requested and not settle_only:
                self._finish_only(await self._queries.positions.get(migration_id))
            if continued is None:
                exempt = ITINERARIES if settle_only else UNLIMITED
                began = self._clock.boot_time()
                lease = await self._ledger.leases.acquire(migration_id, self._holder, READING, exempt=exempt)
                self._ahead = lease.now - self._clock.now()
                continued = Continued(lease, seen or self._kept.row(migration_id), (), began)
            elif continued.state is None:
                continued = replace(continued, state=seen)
            return await self._run_leased(continued, settle_only=settle_only, goes_on=goes_on)
        except TooEarly as exc:
            self._ahead = exc.now - self._clock.now()
            return Waiting(exc.until, exc.on, exc.reason)
        except StateError:
            raise
        except Stopped:
            if lease is not None:
                await self._ledger.leases.give_back(lease)
            raise
        except Exception as exc:
            if concerns_every_number(exc):
                raise
            return await self._block(migration_id, lease, exc, continued.before if continued is not None else ())

    async def let_go(self, migration_id: int) -> None:
        """Give the number up, where its last write took it for a step that is not taken now."""
        left = self._kept.go_on(migration_id)
        if left is None:
            return
        try:
            if left.before:
                await self._ledger.moves.record(left.lease, as_one(left.before))
            else:
                await self._ledger.leases.give_back(left.lease)
            self._kept.given_up(left.lease)
        except Exception as exc:
            # Else somebody has changed the number, or the lease ends by itself: what was read is read again.
            if not is_database_error(exc) and not isinstance(exc, StateError):
                raise

    async def next_step(self, migration_id: int) -> str | None:
        """What a run takes next, which may not be written yet; None where the number has ended. Raises NotFound."""
        kept = self._kept.look_at(migration_id)
        if kept is not None and kept.lease is not None:
            return kept.next_step
        return (await self._queries.positions.get(migration_id)).next_step

    async def _run_leased(self, continued: Continued, *, settle_only: bool, goes_on: bool) -> Outcome:
        """Read the number, decide, record. Where something arrived for it meanwhile, read it again and decide anew."""
        lease = continued.lease
        for _ in range(READS_BEFORE_A_LATER_TRY):
            run = await self._load(continued)
            continued = replace(continued, state=None, before=())
            run.settle_only = settle_only
            with suppress(Outdated):
                decision = await bounded(self._queries, run, await self._decide(run))
                run.goes_on = goes_on and not self._stop.requested
                return await self._record(run, decision)
        raise LeaseLost(f"migration {lease.migration_id} is being changed all the time; try again")

    async def _load(self, continued: Continued) -> StepRun:
        lease, began_at = continued.lease, self._clock.boot_time()
        # The row first: whatever arrives after it raises its version, and the write that names this one is refused.
        position = under_lease(continued.state, lease) or await self._queries.positions.get(lease.migration_id)
        itinerary = itinerary_named(position.itinerary)
        entry, lease = itinerary.at(position.next_step or ""), replace(lease, version=position.version)
        kept = self._kept.take(lease, position.version)
        number, attempt = self._numbers.again(kept, position, lease.now) if kept is not None else None, None
        if number is None:
            number = await self._numbers.load(position, lease.now)
            attempt = await self._queries.records.open_attempt(lease.migration_id)
        run = StepRun(itinerary, entry, lease, number, attempt, leased_at=continued.leased_at, began_at=began_at)
        run.before = continued.before
        run.number.service.doubt = run.doubt()
        return run

    async def _record(self, run: StepRun, decision: Decision) -> Outcome:
        """Raises Outdated only before a call: what a call was answered is recorded whatever arrived meanwhile."""
        while True:
            try:
                return await self._until_taken(run, partial(self._recorder.record, run, decision))
            except BackupNotKept as exc:
                # Also where the step is optional: a backup was possible, so nothing irreversible may come before it.
                closing = Closing(run.attempt, AttemptEnd.NOT_DONE) if run.attempt is not None else None
                decision = Decision(Blocked(str(exc), NO_BACKUP_PAGE), closing)
            except Outdated:
                if not run.called:
                    raise
                await self._read_version(run)

    async def _until_taken(self, run: StepRun, write: Callable[[], Awaitable[T]]) -> T:
        """Once the call was made, its answer is written again and again while the database is locked or gone.

        It ends with the lease: the attempt is open then, and whoever takes the number next reads both sides.
        """
        while True:
            try:
                return await write()
            except Exception as exc:
                if not run.called or not is_database_error(exc) or self._clock.boot_time() >= run.write_by:
                    raise
                log_unwritten(run.number.state.ref, run.contract.name, exc)
                await self._clock.sleep(WRITE_AGAIN_S)

    def _finish_only(self, state: Position) -> None:
        """A worker that was asked to stop goes on only with numbers that are past their point of no return."""
        if self._stop.requested and state.crossed_at is None:
            raise Stopped(f"{state.ref}: this worker was asked to stop before {state.next_step}")

    async def _block(
        self, migration_id: int, lease: Lease | None, exc: Exception, before: Sequence[Move] = ()
    ) -> Outcome:
        """The barrier: what nobody expected in one number's run blocks that number, and never reaches another.

        An open attempt stays open. The error's own text may hold anything, so only its type and place are recorded.
        """
        position = await self._queries.positions.get(migration_id)
        if lease is not None and before and position.next_step == before[0].step:
            with suppress(StateError):  # else it is looked at from there
                written = replace(as_one(before), status=Status.RUNNING, keep_lease=True)
                await self._ledger.moves.record(lease, written)
                position = await self._queries.positions.get(migration_id)
        reason = reason_of(exc, position.next_step or "no step")
        log_unexpected(position.ref, reason, exc)
        blocked = Blocked(reason, INTERNAL_ERROR_PAGE)
        if lease is None:
            return blocked  # without a lease nothing may be written; the next run meets the same
        for _ in range(READS_BEFORE_A_LATER_TRY):
            with suppress(Outdated):
                await self._recorder.block(replace(lease, version=position.version), position.next_step, blocked)
                log_position(position, "blocked", reason, step=position.next_step, holder=lease.holder)
                return blocked
            position = await self._queries.positions.get(lease.migration_id)
        raise LeaseLost(f"migration {lease.migration_id} is being changed all the time; try again")

    async def _decide(self, run: StepRun) -> Decision:
        try:
            if run.attempt is not None:
                return await self._settle(run, run.attempt)
            return Decision(_made_no_call(run)) if run.settle_only else await self._begin(run)
        except Transient as exc:
            return self._failures.after_failed_reading(run, exc)
        except CredentialsRefused as exc:
            return self._failures.after_refused_credentials(run, exc)
        except Rejected as exc:
            return self._failures.after_refused_reading(run, exc)

    # -- before a first call

    async def _begin(self, run: StepRun) -> Decision:
        number, step = run.number, run.step
        if run.is_fresh():
            return advance(Evidence(dict(number.result_of(run.contract.name))), "still_good")
        obstacle = await self._obstacles.find(run)
        if obstacle is not None:
            return self._stopped_by(run, obstacle)
        if (wait := await self._admission.why_wait(run)) is not None:
            return Decision(wait)
        if (stale := await self._obstacles.soon_stale(run)) is not None:
            return self._stopped_by(run, stale)
        if run.contract.promise is Promise.READ:
            return await self._read(run)
        match await step.probe(number, None):
            case Done(evidence):
                return advance(evidence, "already_in_place")
            case CannotTell() as cannot_tell:
                return wait_for(cannot_tell)
            case NotDone(_, Side.ON_PREMISES | Side.CLOUD | Side.NEITHER as side):
                # Newer than the side on record: whether the number goes dark by this call depends on it.
                number = run.on_side(side)
        return await self._attempt(run, await step.prepare(number))

    async def _read(self, run: StepRun) -> Decision:
        """A step that only reads needs no intent."""
        number = run.number
        match await run.step.apply(number, Intent("", {}, {}, number.now, number.now, 0.0)):
            case Evidence() as evidence:
                return advance(evidence)
            case CannotTell() as cannot_tell:
                return wait_for(cannot_tell)
            case Blocked() as blocked if run.entry.optional:
                return pass_over(blocked.reason)
            case Blocked() as blocked:
                # Its note is emptied: whoever has it checked again gives it as much time as at first.
                return Decision(blocked, side=blocked.side, note={})

    def _stopped_by(
        self, run: StepRun, obstacle: Waiting | Blocked | Held | Reopen, attempt: OpenAttempt | None = None
    ) -> Decision:
        if isinstance(obstacle, Blocked) and run.entry.optional:
            return pass_over(obstacle.reason, attempt, AttemptEnd.NOT_DONE)
        return Decision(obstacle, Closing(attempt, AttemptEnd.NOT_DONE) if attempt is not None else None)

    # -- the call

    async def _attempt(
        self,
        run: StepRun,
        draft: Draft,
        closes: OpenAttempt | None = None,
        witnesses: Mapping[str, Any] | None = None,
    ) -> Decision:
        """Commit the intent, then make the call. `closes`: an earlier attempt that `witnesses` show had no effect."""
        state, contract = run.number.state, run.contract
        self._finish_only(state)
        sealed = self._secrets.seal_intent(state.migration_id, state.attempts + 1, draft.secret)
        # Measured before the commit: a worker stopped anywhere from here on wakes to a passed deadline.
        send_by = self._clock.boot_time() + SEND_WITHIN.total_seconds()
        new = NewIntent(
            step=contract.name,
            facts={**draft.facts, "side_before": state.side if closes is None else closes.side_before},
            sealed=sealed,
            longest_call=contract.longest_call + SEND_WITHIN,
            settle_for=contract.settle_for,
            lease_margin=LEASE_MARGIN,
            changes_side=run.entry.changes_side,
            gated=run.entry.gated,
            fits_in=run.entry.fits_in,
            budget=contract.budget,
            announcement=draft.announcement,
            closes=closes,
            witnesses=witnesses,
            person_for=run.person_for,
            code_limit=run.code_limit,
            service=run.service(),
            before=run.before,
        )
        try:
            attempt = await self._ledger.attempts.open(run.lease, new)
        except BudgetSpent as exc:
            return await self._failures.after_spent_budget(run, exc, closes)
        except GateClosed as exc:
            return Decision(Held(str(exc)))
        except TooManyCodes as exc:  # another number took the last place meanwhile
            return Decision(Waiting(run.number.now + LOOKED_AT_AGAIN, Party.OPERATOR, str(exc)))
        run.attempt, run.called, run.before = attempt, True, ()
        run.number.service.doubt = run.doubt()
        run.write_by = send_by + (contract.longest_call + LEASE_MARGIN).total_seconds()
        log_transition(run, "intent", f"its call may leave within {SEND_WITHIN.total_seconds():g} s")
        if self._stop.requested and run.entry.changes_side and state.crossed_at is None:
            # Asked to stop while the intent was committed: nothing has left yet, and nothing leaves.
            closing = Closing(attempt, AttemptEnd.NEVER_LEFT, side_before=attempt.side_before)
            return Decision(Waiting(run.number.now, Party.US, "its worker was stopped before the call"), closing)
        intent = Intent(attempt.key, draft.facts, draft.secret, attempt.opened_at, attempt.answer_due, send_by)
        return await self._call(run, attempt, intent)

    async def _call(self, run: StepRun, attempt: OpenAttempt, intent: Intent) -> Decision:
        try:
            answer = await self._apply(run, intent)
        except OutcomeUnknown as exc:
            # It may have happened. Both sides are read at once, because the outage may be over already.
            changes = counted_failure(run) if exc.answered else ()
            await self._note(run, "unanswered", {"attempt": attempt.number, "why": str(exc)}, *changes)
            return await self._probe_open(run, attempt, intent)
        except Transient as exc:
            if exc.answered:
                return await self._refused(run, attempt, intent, exc)
            return self._failures.after_unsent(run, attempt, exc)
        except CredentialsRefused as exc:
            return await self._failures.after_refused_call(run, exc, attempt)
        except Rejected as exc:
            return await self._refused(run, attempt, intent, exc)
        match answer:
            case Evidence():
                return advance(answer, attempt=attempt)
            case CannotTell():
                return await self._proved_at_once(run, attempt, intent, answer)
            case Blocked():
                return Decision(answer, Closing(attempt, AttemptEnd.REFUSED))

    async def _proved_at_once(self, run: StepRun, attempt: OpenAttempt, intent: Intent, answer: CannotTell) -> Decision:
        """Answered, and `probe` has to prove its effect. After a stop it is asked at once: the number is dark by then.

        Where it cannot prove it yet, the answer is recorded with what was read, and the number is read again.
        """
        if run.contract.moves_to is not Side.NEITHER:
            return wait_for(answer)
        try:
            probe = await run.step.probe(run.at_time(await self._queries.now()), intent)
        except (Transient, Rejected, CredentialsRefused):
            return wait_for(answer)
        if isinstance(probe, Done):
            return advance(probe.evidence, "settled", attempt)
        if isinstance(probe, CannotTell) and probe.note:
            return wait_for(replace(probe, note={**probe.note, **(answer.note or {})}))
        return wait_for(answer)

    async def _apply(self, run: StepRun, intent: Intent) -> Evidence | CannotTell | Blocked:
        """The call. What was read of the number before it is not used again, whatever it was answered."""
        try:
            return await run.step.apply(run.number, intent)
        finally:
            run.number.shared.forget(run.number.state.phone_number_id)
            run.number.reading_cache.discard()

    async def _refused(self, run: StepRun, attempt: OpenAttempt, intent: Intent, exc: Transient | Rejected) -> Decision:
        """A refused call that can move the number may have moved it: its attempt stays open until the sides show it."""
        unclear = isinstance(exc, Transient) and not isinstance(exc, Throttled) and run.contract.repeats_after
        proved_by_reading = run.entry.changes_side or run.contract.reads_lag or unclear
        if not proved_by_reading or self._failures.leads_elsewhere(run, exc):
            shown = await self._shown_all_the_same(run, intent) if isinstance(exc, Rejected) else None
            return shown or await self._failures.after_refusal(run, attempt, exc)
        refusal = record_of(exc, await self._queries.now())
        failed = counted_failure(run) if isinstance(exc, Transient) and not isinstance(exc, Throttled) else ()
        await self._note(run, "refused", refusal, AttemptRefused(attempt.id, refusal), *failed)
        return await self._probe_open(run, replace(attempt, refusal=refusal), intent)

    async def _shown_all_the_same(self, run: StepRun, intent: Intent) -> Decision | None:
        """A refused call whose effect is there to be read has had it: the reading decides, and not the answer."""
        contract = run.contract
        if contract.promise is not Promise.REPEATABLE or not contract.repeats_after or contract.notifies_senders:
            return None
        try:
            probe = await run.step.probe(run.at_time(await self._queries.now()), replace(intent, refused=True))
        except (Transient, Rejected):
            return None
        return advance(probe.evidence, "settled", run.attempt) if isinstance(probe, Done) else None

    async def _note(self, run: StepRun, kind: str, facts: Mapping[str, Any], *changes: Change) -> None:
        """An event of a call that was made; whatever arrived meanwhile does not undo it."""
        while True:
            with suppress(Outdated):
                return await self._until_taken(run, lambda: self._recorder.note_event(run, kind, facts, *changes))
            await self._read_version(run)

    async def _read_version(self, run: StepRun) -> None:
        position = await self._until_taken(run, lambda: self._queries.positions.get(run.lease.migration_id))
        run.lease, run.changed_meanwhile = replace(run.lease, version=position.version), True

    # -- an attempt that is still open

    async def _settle(self, run: StepRun, attempt: OpenAttempt) -> Decision:
        of = run.number.state.migration_id, attempt.number
        secret = await self._secrets.open_intent(*of) if attempt.has_secret else {}
        facts = {name: value for name, value in attempt.intent.items() if name != "side_before"}
        intent = Intent(attempt.key, facts, secret, attempt.opened_at, attempt.answer_due, 0.0)
        return await self._probe_open(run, attempt, intent)

    async def _probe_open(self, run: StepRun, attempt: OpenAttempt, intent: Intent) -> Decision:
        settled = await self._settlement.decide(run, attempt, intent)
        if isinstance(settled, NoEffect):
            return await self._repeat(run, attempt, intent, settled.witnesses)
        return settled

    async def _repeat(
        self, run: StepRun, attempt: OpenAttempt, intent: Intent, witnesses: Mapping[str, Any]
    ) -> Decision:
        """The earlier call had no effect: make it again, unless something stands against it now."""
        obstacle = _made_no_call(run) if run.settle_only else too_often(run) or await self._obstacles.find(run)
        if obstacle is None:
            # The same draft again: what it invented may already be in force at the other side.
            return await self._attempt(run, Draft(intent.facts, intent.secret), attempt, witnesses)
        if run.entry.changes_side:
            sides = await self._read_sides(run.number)
            if isinstance(obstacle, Blocked) and run.entry.optional:
                return pass_over(obstacle.reason, attempt, AttemptEnd.NOT_DONE, side=sides.side)
            return Decision(obstacle, Closing(attempt, AttemptEnd.NOT_DONE, witnesses), side=sides.side)
        return self._stopped_by(run, obstacle, attempt)


def _made_no_call(run: StepRun) -> Waiting:
    """For whoever only wanted to know what an earlier call did: the number may be taken again at once."""
    return Waiting(run.number.now, Party.US, f"{run.contract.name} is not made again before somebody decides")
