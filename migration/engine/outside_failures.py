"""What happens when Graph itself fails at a call that is counted: `register` or `deregister`, of which there are ten.

Whatever made it fail for one number will make it fail for the next one. So no other number of the wave crosses while
the failure stands, and the same call is made once more, not until nothing is left of the ten.
"""

from datetime import timedelta

from migration.engine.step_run import StepRun
from migration.steps.outcomes import Blocked, Waiting
from state.enums import OutsideFailure, Party, Side
from state.ledger.changes import Change, NoteTaken, OutsideFailed

UNREACHABLE_PAGE = "runbooks/far-side-down.md"
FAILURES = "graph_failures"  # in the step's note: how many of its calls Graph has failed at
CALLS_WHILE_IT_SERVES = 2
# A dark number cannot wait for a person; its calls are made further and further apart.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=10)


def counted_failure(run: StepRun) -> tuple[Change, ...]:
    """What is written when Graph has failed at the call of this pass; nothing for a call that is not counted."""
    if run.contract.budget is None:
        return ()
    note = run.number.note_of(run.contract.name)
    return (OutsideFailed(OutsideFailure.GRAPH), NoteTaken({**note, FAILURES: _failures(run) + 1}))


def too_often(run: StepRun) -> Blocked | Waiting | None:
    """Whether the call that had no effect must not be made again now."""
    failures = _failures(run)
    if run.attempt is None or failures < CALLS_WHILE_IT_SERVES:
        return None
    if run.number.state.side is Side.ON_PREMISES or run.attempt.side_before is Side.ON_PREMISES:
        return _stop(run, failures)
    reason = _reason(run, failures)
    again = run.attempt.opened_at + min(FIRST_PAUSE * 2**failures, LONGEST_PAUSE)
    return Waiting(again, Party.META, reason) if run.number.now < again else None


def enough(run: StepRun, side: Side | None) -> Blocked | None:
    """Where the number still serves: the call is not made a third time before a person has looked."""
    failures = _failures(run)
    serves = side is Side.ON_PREMISES and run.contract.budget is not None
    return _stop(run, failures) if serves and failures >= CALLS_WHILE_IT_SERVES else None


def _failures(run: StepRun) -> int:
    return int(run.number.note_of(run.contract.name).get(FAILURES, 0))


def _stop(run: StepRun, failures: int) -> Blocked:
    return Blocked(_reason(run, failures), UNREACHABLE_PAGE)


def _reason(run: StepRun, failures: int) -> str:
    return f"Graph has failed at {run.contract.name} {failures} times, and nothing came of it"
