"""What comes of a step that did not go through: refusals, dead tokens, failed reads, a spent budget.

Each is decided here and recorded in one transaction: what the number waits for, or which page its person needs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from migration.engine.recorder import StepRecorder
from migration.engine.refusals import REFUSED_PAGE, WRONG_PIN_PAGE, Refusal, Response, outcome_of, page_of
from migration.errors import CredentialsRefused, Rejected, Throttled, Transient
from migration.steps.protocol import Blocked, Evidence, Held, Number, Outcome, Reopen, Switch, Waiting
from state.enums import AttemptEnd, Party, Side
from state.errors import BudgetSpent
from state.queries import Queries
from state.rows import OpenAttempt, Position

BACKOFF_CAP = timedelta(minutes=5)
TRIES_BEFORE_A_PERSON = 8

UNKNOWN_OUTCOME = "runbooks/unknown-outcome.md"
FAR_SIDE_DOWN = "runbooks/far-side-down.md"
BUDGET_PAGE = "runbooks/budget-spent.md"


class FailurePolicy:
    def __init__(self, queries: Queries, read_sides: Callable[[Number], Awaitable[Evidence]]) -> None:
        self._queries = queries
        self._read_sides = read_sides

    # -- an answer that says no

    async def refused(self, record: StepRecorder, attempt: OpenAttempt, exc: Transient | Rejected) -> Outcome:
        """An answer that says no. For a probed call that is not the same as nothing happened: read both sides."""
        step = record.leg.step
        side = await self._sides_after(record) if record.leg.changes_side else None
        if side is not None and side.side is Side.CLOUD and step.name == "register":
            return await record.advanced(replace(side, facts={**side.facts, "answer": str(exc)}), attempt)
        outcome = await self._sent_back_once(record, attempt, self._response(record, exc))
        if isinstance(outcome, Blocked) and record.leg.optional:
            return await record.passed_over(outcome.reason, attempt)
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

    async def _sides_after(self, record: StepRecorder) -> Evidence | None:
        """None where a side cannot be read now. The refusal is recorded all the same: forgotten, it would be met again,
        and a wrong PIN sent twice."""
        try:
            return await self._read_sides(record.number)
        except (Transient, Rejected):
            return None

    async def _sent_back_once(
        self, record: StepRecorder, attempt: OpenAttempt, outcome: Waiting | Blocked | Reopen | Switch
    ) -> Waiting | Blocked | Reopen | Switch:
        """Sent back to a step that then had nothing to do, the same call would be refused again until none is left."""
        if not isinstance(outcome, Reopen) or outcome.step == attempt.step:
            return outcome
        for earlier in reversed(await self._queries.attempts(record.number.state.migration_id)):
            if earlier["step"] == outcome.step:
                break
            if earlier["step"] == attempt.step and earlier["ended"] == AttemptEnd.REFUSED:
                return Blocked(f"{outcome.because}; {outcome.step} found nothing to do", REFUSED_PAGE.runbook)
        return outcome

    async def refused_reading(self, record: StepRecorder, exc: Rejected) -> Outcome:
        """A read was refused; an open attempt stays open, for nothing was learnt about it."""
        outcome = self._response(record, exc)
        if isinstance(outcome, Blocked) and record.leg.optional and record.open is None:
            return await record.passed_over(outcome.reason, None)
        if isinstance(outcome, Reopen | Switch) and record.open is not None:
            outcome = Blocked(outcome.because, UNKNOWN_OUTCOME)  # the cursor stays where the open call was made
        return await record.outcome(outcome)

    def _response(self, record: StepRecorder, exc: Transient | Rejected) -> Waiting | Blocked | Reopen | Switch:
        step = record.leg.step.name
        if isinstance(exc, Transient):
            return self._backoff(record, exc)
        told: Response = outcome_of(Refusal(step, exc.code, exc.subcode, exc.details, exc.wait))
        outcome = told.at(record.number.now)
        if isinstance(outcome, Waiting):
            return self._waited_out(record, outcome)
        if isinstance(outcome, Reopen) and not record.itinerary.has(outcome.step):
            return Blocked(outcome.because, REFUSED_PAGE.runbook)  # another way is a person's choice
        return outcome

    def _waited_out(self, record: StepRecorder, told: Waiting) -> Waiting | Blocked:
        """Longer each time; after so many it is no longer the lag, or the pause, that the table takes it for."""
        at = record.number.state
        if at.tries + 1 >= TRIES_BEFORE_A_PERSON:
            return Blocked(f"{told.reason} ({at.tries + 1} times)", page_of(record.leg.step.name))
        return replace(told, until=max(told.until, record.number.now + self._pause(at)))

    async def credentials(self, record: StepRecorder, exc: CredentialsRefused, refused: OpenAttempt | None) -> Outcome:
        """A dead token is nobody's fault but its profile's: halt that one and no other.

        `refused`: the attempt whose own call was refused; a refused read says nothing about one that is open.
        """
        if exc.on == "onprem":
            return await self._refused_login(record, exc, refused)
        at = record.number.state
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
        self, record: StepRecorder, exc: CredentialsRefused, refused: OpenAttempt | None
    ) -> Outcome:
        name = record.number.state.instance.name if record.number.state.instance else "?"
        verdict = Blocked(f"instance {name} refuses the login: {exc.details}", "runbooks/onprem-login.md")
        if record.leg.optional and (refused or record.open is None):
            return await record.passed_over(verdict.reason, refused)
        return await record.outcome(
            verdict,
            refused,
            end=AttemptEnd.REFUSED if refused else None,
            side_back=refused.side_before if refused else None,
        )

    async def never_left(self, record: StepRecorder, attempt: OpenAttempt, exc: Transient) -> Outcome:
        outcome = self._backoff(record, exc)
        return await record.outcome(
            outcome, attempt, end=AttemptEnd.NEVER_LEFT, side_back=attempt.side_before, failed=True
        )

    # -- waiting

    async def unread(self, record: StepRecorder, exc: Transient) -> Outcome:
        """A read failed, before an intent or while settling one."""
        outcome = self._backoff(record, exc)
        if isinstance(outcome, Blocked) and record.open is None and record.leg.optional:
            return await record.passed_over(outcome.reason, None)
        if isinstance(outcome, Blocked) and record.open is not None:
            outcome = Blocked(f"{record.leg.step.name}: the outcome is not known: {exc}", UNKNOWN_OUTCOME)
        return await record.outcome(outcome, failed=True)

    def _backoff(self, record: StepRecorder, exc: Transient) -> Waiting | Blocked:
        at = record.number.state
        tries_allowed = 3 if record.leg.optional else TRIES_BEFORE_A_PERSON
        if at.tries + 1 >= tries_allowed and at.crossed_at is None and not isinstance(exc, Throttled):
            return Blocked(f"{record.leg.step.name}: {exc} ({at.tries + 1} tries)", FAR_SIDE_DOWN)
        wait = self._pause(at)
        if isinstance(exc, Throttled):
            wait = max(wait, exc.retry_after)
        return Waiting(record.number.now + wait, Party.META, str(exc))

    def _pause(self, at: Position) -> timedelta:
        return min(timedelta(seconds=2.0 ** min(at.tries + 1, 9)), BACKOFF_CAP)

    async def budget_spent(self, record: StepRecorder, exc: BudgetSpent, closes: OpenAttempt | None) -> Outcome:
        call = record.leg.step.budget or ""
        _, until = await self._queries.budget_spent(record.number.state.phone_number_id, call)
        serving = record.number.state.side is Side.ON_PREMISES
        verdict: Waiting | Blocked = Blocked(str(exc), BUDGET_PAGE)
        if serving and until is not None:
            verdict = Waiting(until, Party.OPERATOR, f"{exc}; see {BUDGET_PAGE}")
        if closes is None:
            return await record.outcome(verdict)
        side = await self._read_sides(record.number)
        return await record.outcome(verdict, closes, end=AttemptEnd.NOT_DONE, side=side)
