"""What one pass over one step does: check, probe, intent, call, and what follows from the answer.

Reads from top to bottom, and returns a decision; whoever holds the number's lease writes it down.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from migration.clock import Clock
from migration.engine.answer_writer import AnswerWriter
from migration.engine.call_admission import CallAdmission
from migration.engine.decisions import Closing, Decision, advance, pass_over, wait_for
from migration.engine.failures import FailurePolicy
from migration.engine.obstacles import Obstacles
from migration.engine.outside_failures import counted_failure, too_often
from migration.engine.person_at_the_phone import LOOKED_AT_AGAIN
from migration.engine.recorder import SecretKeeper
from migration.engine.refused_calls import record_of
from migration.engine.refuted_facts import tries_a_pin
from migration.engine.settlement import NoEffect, Settlement
from migration.engine.step_run import SEND_WITHIN, StepRun
from migration.engine.transition_log import log_transition
from migration.engine.write_lag import WriteLag
from migration.errors import CredentialsRefused, OutcomeUnknown, Rejected, Stopped, Throttled, Transient
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
    Reopen,
    Waiting,
)
from state.enums import AttemptEnd, Party, Promise, Side
from state.errors import BudgetSpent, GateClosed, PinBeingTried, TooManyCodes
from state.ledger.attempts import NewIntent
from state.ledger.changes import AttemptRefused
from state.ledger.ledger import Ledger
from state.queries.queries import Queries
from state.rows import OpenAttempt, Position

# Between the last moment an answer can come and the moment another worker may take over.
LEASE_MARGIN = timedelta(seconds=10)
# A register takes up to 15 s; the others look again so often.
PIN_TRIED_AGAIN = timedelta(seconds=5)


class StepDecider:
    def __init__(
        self,
        ledger: Ledger,
        queries: Queries,
        secrets: SecretKeeper,
        clock: Clock,
        read_sides: Callable[[Number], Awaitable[Evidence]],
        stop: StopRequest,
        admission: CallAdmission,
        writer: AnswerWriter,
        lag: WriteLag,
        codes_per_operator: int,
    ) -> None:
        self._ledger = ledger
        self._lag = lag
        self._queries = queries
        self._secrets = secrets
        self._clock = clock
        self._stop = stop
        self._admission = admission
        self._read_sides = read_sides
        self._writer = writer
        self._obstacles = Obstacles(queries, codes_per_operator)
        self._failures = FailurePolicy(queries, read_sides)
        self._settlement = Settlement(queries, self._failures, read_sides)

    async def decide(self, run: StepRun) -> Decision:
        """What follows from this pass. Raises Stopped, Outdated, LeaseLost, and what nobody expected."""
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
        check_not_stopped(self._stop, state)
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
            tries_a_pin=tries_a_pin(run),
            service=run.service(),
            before=run.before,
        )
        try:
            with self._lag.timing():
                attempt = await self._ledger.attempts.open(run.lease, new)
        except BudgetSpent as exc:
            return await self._failures.after_spent_budget(run, exc, closes)
        except GateClosed as exc:
            return Decision(Held(str(exc)))
        except TooManyCodes as exc:  # another number took the last place meanwhile
            return Decision(Waiting(run.number.now + LOOKED_AT_AGAIN, Party.OPERATOR, str(exc)))
        except PinBeingTried as exc:
            return Decision(Waiting(run.number.now + PIN_TRIED_AGAIN, Party.US, str(exc)))
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
            await self._writer.note(run, "unanswered", {"attempt": attempt.number, "why": str(exc)}, *changes)
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
        await self._writer.note(run, "refused", refusal, AttemptRefused(attempt.id, refusal), *failed)
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


def check_not_stopped(stop: StopRequest, state: Position) -> None:
    """A worker that was asked to stop goes on only with numbers past their point of no return. Raises Stopped."""
    if stop.requested and state.crossed_at is None:
        raise Stopped(f"{state.ref}: this worker was asked to stop before {state.next_step}")
