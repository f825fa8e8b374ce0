"""What stands against a step now: the gate, a stale input, a call that was refused a moment ago, its own check."""

from datetime import datetime, timedelta

from migration.engine.itineraries import ItineraryName
from migration.engine.outside_failures import UNREACHABLE_PAGE
from migration.engine.person_at_the_phone import PersonAtThePhone
from migration.engine.refusals import page_of
from migration.engine.step_run import StepRun
from migration.steps.outcomes import Blocked, Held, Reopen, Waiting
from state.enums import Party, Promise, Side
from state.proof import kept_by_reports, why_kept
from state.queries.queries import Queries
from state.rows import OpenAttempt

# How often a stop or start command is run before a person looks at it.
COMMANDS_WITHOUT_EFFECT = 3
# How often a call that may be repeated is made without an answer that says what it did, while its number serves.
CALLS_WITHOUT_ANSWER = 5
# From the pause to the end of the drain: two looks at an empty queue, two seconds apart, and what both take on a busy
# machine.
DRAINS_WITHIN = timedelta(seconds=20)
# So often a number is sent back from its pause before it goes on with inputs that it may have to renew after it.
RENEWED_BEFORE_PAUSE = 2


class Obstacles:
    """All of it only reads."""

    def __init__(self, queries: Queries, codes_per_operator: int) -> None:
        self._queries = queries
        self._person = PersonAtThePhone(queries, codes_per_operator)

    async def find(self, run: StepRun) -> None | Waiting | Blocked | Held | Reopen:
        """What stands against this step now: the gate, a stale input or its own check. All of them only read."""
        state = run.number.state
        # With a refused token nothing is sent to Graph; announcements to the partner's senders still are.
        halted = state.profile_halted_at is not None and not run.contract.notifies_senders
        if run.entry.gated or halted:
            closed = await self._queries.gate.why_closed(state.migration_id, run.entry.fits_in)
            if closed is not None:
                return Held(closed)
            if run.entry.gated and (kept := await self._kept_by_account(run)) is not None:
                return kept
        if run.contract.runs_command and (nothing := await self._does_nothing(run)) is not None:
            return nothing
        if run.attempt is not None and (silent := await self._never_answered(run, run.attempt)) is not None:
            return silent
        if run.entry.changes_side:
            stale = run.stale_input()
            if stale is not None:
                return Reopen(stale, f"{stale} is too old for {run.contract.name}")
        if run.contract.reads_lag and (soon := await self._too_soon(run)) is not None:
            return soon
        obstacle = await run.step.check(run.number)
        return obstacle if obstacle is not None else await self._person.missing(run)

    async def _kept_by_account(self, run: StepRun) -> Held | None:
        """What halts a wave holds a number that is in none: it would cross into an account that Meta has restricted.

        Not one that serves nobody: a gate would make its outage longer.
        """
        state = run.number.state
        dark = state.side is Side.NEITHER and run.itinerary.name is not ItineraryName.ONBOARD
        if state.wave is not None or state.crossed_at is not None or dark or run.itinerary.goes_to is not Side.CLOUD:
            return None
        if kept_by_reports(state, run.number.now) is None:
            return None
        decided = await self._queries.records.last_released(state.migration_id)
        found = kept_by_reports(state, run.number.now, decided)
        if found is None:
            return None
        return Held(f"{why_kept(*found)}; `cutover release {state.ref}` lets it cross all the same")

    async def soon_stale(self, run: StepRun) -> Reopen | None:
        """What would be too old for the crossing once the queue is empty: it is done again before senders are paused.

        A number that stood at its gate for a minute had its PIN set anew after the pause, while its senders waited.
        """
        state = run.number.state
        pauses = run.entry.gated and run.contract.notifies_senders and not run.entry.changes_side
        if not pauses or state.paused_at is not None or state.crossed_at is not None:
            return None
        stale = run.stale_input(DRAINS_WITHIN)
        if stale is None:
            return None
        if await self._queries.records.reopened(state.migration_id, stale) >= RENEWED_BEFORE_PAUSE:
            return None  # a machine that is slower than this would send it back for ever
        return Reopen(stale, f"{stale} would be too old before the queue is empty")

    async def _never_answered(self, run: StepRun, attempt: OpenAttempt) -> Blocked | None:
        """Such a call would be repeated for ever, and nobody would hear of it. A dark number is tried further."""
        state, contract = run.number.state, run.contract
        serves = state.crossed_at is None or state.side is Side.CLOUD
        if contract.promise is not Promise.REPEATABLE or contract.notifies_senders or not serves or attempt.refusal:
            return None
        times = 1 + await self._queries.records.without_effect(state.migration_id, contract.name)
        if times < CALLS_WITHOUT_ANSWER:
            return None
        return Blocked(f"{contract.name}: {times} calls got no answer that says what they did", UNREACHABLE_PAGE)

    async def _too_soon(self, run: StepRun) -> Waiting | None:
        """The same call waits until readings can show what the last one did."""
        earlier = await self._queries.records.last_refused(run.number.state.migration_id, run.contract.name)
        if earlier is None or not earlier["answer"]:
            return None  # without an answer its token was refused, before anything could happen
        answer = earlier["answer"]
        refused = datetime.fromisoformat(answer["at"]) if "at" in answer else earlier["ended_at"]
        until = refused + run.contract.reads_lag
        if run.number.now < until:
            return Waiting(until, Party.META, "readings may lag behind the call that was refused")
        return None

    async def _does_nothing(self, run: StepRun) -> Blocked | None:
        """A command that says "done" and changes nothing would run for ever, with the senders paused."""
        name = run.contract.name
        times = await self._queries.records.without_effect(run.number.state.migration_id, name)
        times += run.attempt is not None  # it had none either, or it would not be made again
        if times < COMMANDS_WITHOUT_EFFECT:
            return None
        return Blocked(f"{name}: the command has run {times} times and nothing has changed", page_of(name))
