"""What became of a call whose attempt is still open: unanswered, or refused although it may have worked.

Decided by reading both sides. Absence is believed late, because a call may still be in flight and readings lag.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from migration.engine.decisions import Decision, advance, wait_for
from migration.engine.failures import UNKNOWN_OUTCOME_PAGE, FailurePolicy
from migration.engine.refused_calls import error_of, refused_at
from migration.engine.step_run import SEND_WITHIN, StepRun
from migration.errors import Rejected, Transient
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Evidence, Intent, NotDone, Waiting
from migration.steps.traffic import outbox_key
from state.enums import Party, Side
from state.queries.queries import Queries
from state.rows import OpenAttempt

# The longest pause between two readings while it is not known what a call did.
BETWEEN_PROBES = timedelta(seconds=10)
# For the end of a command and of its descendants, after its time is over.
COMMAND_MARGIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class NoEffect:
    """The call had no effect, as `witnesses` prove; it may be made again."""

    witnesses: Mapping[str, Any]


class Settlement:
    def __init__(
        self,
        queries: Queries,
        failures: FailurePolicy,
        read_sides: Callable[[Number], Awaitable[Evidence]],
    ) -> None:
        self._queries = queries
        self._failures = failures
        self._read_sides = read_sides

    async def decide(self, run: StepRun, attempt: OpenAttempt, intent: Intent) -> Decision | NoEffect:
        """Probe the effect of the open attempt now. Raises what the clients raise where a side cannot be read."""
        now = await self._queries.now()
        number = run.at_time(now)
        if attempt.refusal is not None:
            return await self._after_refusal(run, attempt, intent, attempt.refusal)
        if run.settle_only and run.contract.notifies_senders:
            return _announcement_given_up(run, attempt)
        ends_by = _command_ends_by(run, attempt)
        if now < ends_by:
            # Its worker is gone, and so should the command be; one that still runs would undo what is decided now.
            return Decision(Waiting(ends_by, Party.US, "a command of a worker that is gone may still run"))
        probe = await run.step.probe(number, intent)
        if isinstance(probe, Done):
            return advance(probe.evidence, "settled", attempt)
        if isinstance(probe, CannotTell):
            if now >= attempt.settle_by:
                unknown = f"{run.contract.name}: the outcome is not known: {probe.reason}"
                return Decision(Blocked(unknown, UNKNOWN_OUTCOME_PAGE), note=probe.note)
            latest = now + BETWEEN_PROBES if run.contract.reads_lag else probe.recheck_at
            return wait_for(replace(probe, recheck_at=min(probe.recheck_at, latest)))
        shows_by = attempt.answer_due + run.contract.settles_after
        if now < shows_by:
            # The call may still be in flight: absent now is no proof, and a second call would be one too many.
            again = min(shows_by, _next_probe(run, attempt))
            return Decision(Waiting(again, Party.META, "an earlier call may still be in flight", probe.note))
        return NoEffect(probe.witnesses)

    async def _after_refusal(
        self, run: StepRun, attempt: OpenAttempt, intent: Intent, refusal: Mapping[str, Any]
    ) -> Decision:
        """The effect may be there in spite of the answer: before the lag of readings has passed, nothing is proved."""
        now, lag = run.number.now, run.contract.settles_after
        shows_by, last = refused_at(refusal) + lag, attempt.answer_due + lag
        try:
            probe = await run.step.probe(run.number, replace(intent, refused=True))
            if isinstance(probe, Done):
                return advance(probe.evidence, "settled", attempt)
            sides = await self._read_sides(run.number) if now >= shows_by else None
        except (Transient, Rejected):
            if now < last:
                raise
            return await self._failures.after_refusal(run, attempt, error_of(refusal))
        if sides is not None and (isinstance(probe, NotDone) or sides.side is not Side.UNKNOWN or now >= last):
            moved = sides if run.entry.changes_side or run.contract.reads_lag else None
            return await self._failures.after_refusal(run, attempt, error_of(refusal), moved)
        until = shows_by if sides is None else last
        reason = f"{refusal['refused']}; both sides are read until {until:%H:%M:%S} UTC"
        note = probe.note if isinstance(probe, CannotTell) else None
        return Decision(Waiting(min(until, _next_probe(run, attempt)), Party.META, reason, note))


def _next_probe(run: StepRun, attempt: OpenAttempt) -> datetime:
    """2 s after the call, later less often, at least every BETWEEN_PROBES."""
    return min(run.number.next_check(attempt.opened_at, 2), run.number.now + BETWEEN_PROBES)


def _announcement_given_up(run: StepRun, attempt: OpenAttempt) -> Decision | NoEffect:
    """Senders that drain need not end it: what they were told stays in the outbox, and is taken back from there.

    Only an announcement that may still be on its way has to be waited for, or it would come after that.
    """
    answered = run.number.note_of(run.contract.name).get("key") == outbox_key(attempt.intent["body"])
    if not answered and run.number.now < attempt.answer_due:
        return Decision(Waiting(attempt.answer_due, Party.CUSTOMER, "an earlier announcement may still be in flight"))
    return NoEffect({"given_up": "somebody decided before the senders had answered"})


def _command_ends_by(run: StepRun, attempt: OpenAttempt) -> datetime:
    """Until when a command whose answer nobody heard may run, with a margin for its end."""
    noted = run.number.note_of(run.contract.name)
    if not run.contract.runs_command or attempt.intent.get("command") is None or noted.get("answered") == attempt.key:
        return attempt.opened_at
    limit_s = attempt.intent.get("limit_s")
    if limit_s is None:
        return attempt.answer_due  # of a release that did not write it down
    return attempt.opened_at + SEND_WITHIN + timedelta(seconds=float(limit_s)) + COMMAND_MARGIN
