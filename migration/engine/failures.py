"""What becomes of a step that did not go through: a refusal, a dead token, a failed reading, a spent budget.

Decides only; the executor records the decision. Reads both sides where an answer cannot be trusted to mean "nothing
happened".
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from migration.clients.graph_errors import credentials_problem
from migration.clients.onprem_reading import Reading
from migration.engine.decisions import Closing, Decision, advance, pass_over
from migration.engine.outside_failures import UNREACHABLE_PAGE, enough
from migration.engine.refusals import REFUSED_PAGE, Refusal, page_of, rule_for
from migration.engine.refuted_facts import refuted_by
from migration.engine.step_run import StepRun
from migration.errors import CredentialsRefused, Intercepted, Rejected, Throttled, Transient
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence, Held, Reopen, Switch, Waiting
from state.enums import AttemptEnd, Party, Side
from state.errors import BudgetSpent
from state.queries.queries import Queries
from state.rows import OpenAttempt, Position

BACKOFF_CAP = timedelta(minutes=5)
TRIES_BEFORE_A_PERSON = 8
TRIES_OF_AN_OPTIONAL_STEP = 3

UNKNOWN_OUTCOME_PAGE = "runbooks/unknown-outcome.md"
BUDGET_PAGE = "runbooks/budget-spent.md"
LOGIN_PAGE = "runbooks/onprem-login.md"

Response = Waiting | Blocked | Reopen | Switch


class FailurePolicy:
    def __init__(self, queries: Queries, read_sides: Callable[[Number], Awaitable[Evidence]]) -> None:
        self._queries = queries
        self._read_sides = read_sides

    # -- a call that was refused

    def leads_elsewhere(self, run: StepRun, exc: Transient | Rejected) -> bool:
        """Whether another step comes next: then the same call is not repeated soon, and nothing has to wait."""
        return isinstance(self._response(run, exc), Reopen | Switch)

    async def after_refusal(
        self, run: StepRun, attempt: OpenAttempt, exc: Transient | Rejected, sides: Evidence | None = None
    ) -> Decision:
        """For a probed call "no" is not the same as "nothing happened".

        `sides`: read when the lag of readings had passed. Without them only what cannot be stale is believed: that
        the call had its effect, or that On-Premises, which answers itself, still serves.
        """
        side = sides
        if side is None and run.entry.changes_side:
            read = await self._sides_after(run)
            believed = {run.contract.moves_to, Side.ON_PREMISES} if run.contract.reads_lag else set(Side)
            side = read if read is not None and read.side in believed else None
        if side is not None and side.side is Side.CLOUD and run.contract.moves_to is Side.CLOUD:
            return advance(replace(side, facts={**side.facts, "answer": str(exc)}), attempt=attempt)
        outcome = await self._not_refused_twice(run, attempt, self._response(run, exc))
        if isinstance(outcome, Waiting) and isinstance(exc, Transient) and side is not None:
            outcome = enough(run, side.side) or outcome
        if isinstance(outcome, Blocked) and run.entry.optional:
            return pass_over(outcome.reason, attempt, side=side.side if side is not None else None)
        error_code = exc.error_code if isinstance(exc, Rejected) else None
        answer = {**(attempt.refusal or {}), "refused": str(exc), "code": error_code}
        if isinstance(exc, Rejected) and exc.error_subcode is not None:
            answer["subcode"] = exc.error_subcode  # decides how long no other code is asked for
        return Decision(
            outcome,
            Closing(attempt, AttemptEnd.REFUSED, answer),
            side=side.side if side is not None else None,
            failed=isinstance(outcome, Waiting),
            changes=refuted_by(run, exc),
        )

    async def _sides_after(self, run: StepRun) -> Evidence | None:
        """None where a side cannot be read now. The refusal is recorded all the same: if it were forgotten, the same
        call would be sent again, and a wrong PIN with it."""
        try:
            return await self._read_sides(run.number)
        except (Transient, Rejected):
            return None

    async def _not_refused_twice(self, run: StepRun, attempt: OpenAttempt, outcome: Response) -> Response:
        """A Reopen whose step then found nothing to do would have the same call refused until no call is left."""
        if not isinstance(outcome, Reopen) or outcome.step == attempt.step:
            return outcome
        records, migration_id = self._queries.records, run.number.state.migration_id
        refused = await records.last_refused(migration_id, attempt.step)
        if refused is not None and refused["number"] > await records.last_number(migration_id, outcome.step):
            return Blocked(f"{outcome.because}; {outcome.step} found nothing to do", REFUSED_PAGE)
        return outcome

    def after_refused_reading(self, run: StepRun, exc: Rejected) -> Decision:
        """A reading was refused; an open attempt stays open, for nothing was learned about it."""
        outcome = self._response(run, exc)
        if isinstance(outcome, Blocked) and run.entry.optional and run.attempt is None:
            return pass_over(outcome.reason)
        if isinstance(outcome, Reopen | Switch) and run.attempt is not None:
            # The cursor stays at the step whose call is open.
            outcome = Blocked(outcome.because, UNKNOWN_OUTCOME_PAGE)
        return Decision(outcome)

    def _response(self, run: StepRun, exc: Transient | Rejected) -> Response:
        if isinstance(exc, Transient):
            return self._back_off(run, exc)
        refusal = Refusal(run.contract.name, exc.error_code, exc.error_subcode, exc.details, exc.retry_after)
        outcome = rule_for(refusal).at(run.number.now)
        if isinstance(outcome, Waiting):
            return self._wait_longer(run, outcome)
        if isinstance(outcome, Reopen) and not run.itinerary.has(outcome.step):
            return Blocked(outcome.because, REFUSED_PAGE)  # another itinerary is a person's choice
        return outcome

    def _wait_longer(self, run: StepRun, wait: Waiting) -> Waiting | Blocked:
        """Longer each time; after many times it is not the lag, or the pause, that the table takes it for."""
        state = run.number.state
        if state.tries + 1 >= TRIES_BEFORE_A_PERSON:
            return Blocked(f"{wait.reason} ({state.tries + 1} times)", page_of(run.contract.name))
        return replace(wait, until=max(wait.until, run.number.now + _pause(state)))

    # -- credentials that were refused

    async def after_refused_call(self, run: StepRun, exc: CredentialsRefused, attempt: OpenAttempt) -> Decision:
        """The token of a call that was made. It may have moved the number all the same, and Graph cannot be asked.

        Only a client that serves proves that it has not. Without one the attempt stays open, and is settled when the
        profile goes on: the side is not what it was before, and no second call is made before reads can show the first.
        """
        decision = self.after_refused_credentials(run, exc, attempt)
        if exc.refused_by == "onprem" or not run.entry.changes_side or await _still_serves(run, attempt):
            return decision
        return replace(decision, closing=None)

    def after_refused_credentials(
        self, run: StepRun, exc: CredentialsRefused, refused: OpenAttempt | None = None
    ) -> Decision:
        """A dead token halts its own profile and no other; a refused login blocks the number of that client.

        `refused`: the attempt whose own call was refused. A refused reading tells nothing about an open attempt.
        """
        closing = Closing(refused, AttemptEnd.REFUSED, side_before=refused.side_before) if refused else None
        state = run.number.state
        if exc.refused_by == "onprem":
            name = state.instance.name if state.instance else "?"
            verdict = Blocked(f"instance {name} refuses the login: {exc.details}", LOGIN_PAGE)
            if run.entry.optional and (refused or run.attempt is None):
                return pass_over(verdict.reason, refused, side_before=closing.side_before if closing else None)
            return Decision(verdict, closing)
        code = f"code {exc.error_code}" if exc.error_code is not None else exc.details
        because = f"Graph refused {credentials_problem(exc)} ({code})"
        held = Held(f"credential profile {state.profile} is halted: {because}", halts_profile_because=because)
        return Decision(held, closing)

    # -- calls that did not leave, readings that failed

    def after_unsent(self, run: StepRun, attempt: OpenAttempt, exc: Transient) -> Decision:
        """Nothing was sent: the call costs nothing, and the side is what it was."""
        closing = Closing(attempt, AttemptEnd.NEVER_LEFT, side_before=attempt.side_before)
        outcome = self._back_off(run, exc)
        if isinstance(outcome, Blocked) and run.entry.optional:
            return pass_over(outcome.reason, attempt, closing.end, side_before=closing.side_before)
        return Decision(outcome, closing, failed=True)

    def after_failed_reading(self, run: StepRun, exc: Transient) -> Decision:
        """A reading failed, before an intent or while an open attempt is settled."""
        outcome = self._back_off(run, exc)
        if isinstance(outcome, Blocked) and run.attempt is None and run.entry.optional:
            return pass_over(outcome.reason)
        if isinstance(outcome, Blocked) and run.attempt is not None:
            outcome = Blocked(f"{run.contract.name}: the outcome is not known: {exc}", UNKNOWN_OUTCOME_PAGE)
        return Decision(outcome, failed=True)

    def _back_off(self, run: StepRun, exc: Transient) -> Waiting | Blocked:
        state = run.number.state
        tries_allowed = TRIES_OF_AN_OPTIONAL_STEP if run.entry.optional else TRIES_BEFORE_A_PERSON
        waits = isinstance(exc, Throttled | Intercepted)  # for what no number can help; it goes on when that is over
        if state.tries + 1 >= tries_allowed and state.crossed_at is None and not waits:
            return Blocked(f"{run.contract.name}: {exc} ({state.tries + 1} tries)", UNREACHABLE_PAGE)
        wait = _pause(state)
        if isinstance(exc, Throttled):
            wait = max(wait, exc.retry_after)
        # The hook is the partner's own, as the client is: nothing that Meta does brings it back.
        whose = Party.OPERATOR if run.contract.notifies_senders else exc.whose_move
        for_calls = isinstance(exc, Throttled) and whose is Party.META
        return Waiting(run.number.now + wait, whose, str(exc), for_calls=for_calls)

    # -- a spent budget

    async def after_spent_budget(self, run: StepRun, exc: BudgetSpent, closes: OpenAttempt | None) -> Decision:
        """Wait for the window while On-Premises serves; otherwise a person decides about the reserve."""
        state = run.number.state
        _, until = await self._queries.gate.budget_spent(state.phone_number_id, run.contract.budget or "")
        verdict: Waiting | Blocked = Blocked(str(exc), BUDGET_PAGE)
        if state.side is Side.ON_PREMISES and until is not None:
            verdict = Waiting(until, Party.OPERATOR, f"{exc}; see {BUDGET_PAGE}")
        if closes is None:
            return Decision(verdict)
        side = await self._read_sides(run.number)
        return Decision(verdict, Closing(closes, AttemptEnd.NOT_DONE), side=side.side)


def _pause(state: Position) -> timedelta:
    """2, 4, 8 ... seconds, at most BACKOFF_CAP."""
    return min(timedelta(seconds=2.0 ** min(state.tries + 1, 9)), BACKOFF_CAP)


async def _still_serves(run: StepRun, attempt: OpenAttempt) -> bool:
    """The client from which the call would have taken the number serves it: it answers itself, and never lags."""
    onprem = run.number.onprem
    if attempt.side_before is not Side.ON_PREMISES or onprem is None:
        return False
    return (await onprem.reading()).kind is Reading.SERVING
