"""A number is not sent back to the same step for ever: after some times a person is asked.

Most of all a number that is dark: each round lengthens its outage, and a round that helped would not come again.
"""

from dataclasses import replace

from migration.engine.decisions import Decision
from migration.engine.refusals import page_of
from migration.engine.step_run import StepRun
from migration.steps.outcomes import Blocked, Reopen
from state.queries.queries import Queries

# Times that a worker goes back to the same step of a number until a person has decided about it.
MOST_REOPENED = 5


async def bounded(queries: Queries, run: StepRun, decision: Decision) -> Decision:
    """The decision, or a block where it would send the number back once too often."""
    if not isinstance(decision.outcome, Reopen):
        return decision
    step, because = decision.outcome.step, decision.outcome.because
    times = await queries.records.reopened(run.number.state.migration_id, step)
    if times < MOST_REOPENED:
        return decision
    name = run.contract.name
    reason = f"{name}: the number was sent back to {step} {times} times, and it is needed once more: {because}"
    return replace(decision, outcome=Blocked(reason, page_of(name)))
