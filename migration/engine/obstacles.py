"""What stands against a step now: the gate, a stale input, a call that was refused a moment ago, its own check."""

from datetime import datetime

from migration.engine.step_run import StepRun
from migration.steps.outcomes import Blocked, Held, Reopen, Waiting
from state.enums import AttemptEnd, Party
from state.queries.queries import Queries


class Obstacles:
    """All of it only reads."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def find(self, run: StepRun) -> None | Waiting | Blocked | Held | Reopen:
        """What stands against this step now: the gate, a stale input or its own check. All of them only read."""
        state = run.number.state
        # With a refused token nothing is sent to Graph; announcements to the partner's senders still are.
        halted = state.profile_halted_at is not None and not run.contract.notifies_senders
        if run.entry.gated or halted:
            closed = await self._queries.gate.why_closed(state.migration_id, run.entry.fits_in)
            if closed is not None:
                return Held(closed)
        if run.entry.changes_side:
            stale = run.stale_input()
            if stale is not None:
                return Reopen(stale, f"{stale} is too old for {run.contract.name}")
        if run.contract.reads_lag and (soon := await self._too_soon(run)) is not None:
            return soon
        return await run.step.check(run.number)

    async def _too_soon(self, run: StepRun) -> Waiting | None:
        """The same call waits until readings can show what the last one did."""
        for earlier in reversed(await self._queries.records.attempts(run.number.state.migration_id)):
            if earlier["step"] != run.contract.name or earlier["ended"] != AttemptEnd.REFUSED:
                continue
            answer = earlier["answer"]
            if not answer:
                return None  # its token was refused, before anything could happen
            refused = datetime.fromisoformat(answer["at"]) if "at" in answer else earlier["ended_at"]
            until = refused + run.contract.reads_lag
            if run.number.now < until:
                return Waiting(until, Party.META, "readings may lag behind the call that was refused")
            return None
        return None
