"""What a worker has read of a number and need not read again for the number's next step.

Whatever arrives for a number raises its version, and whoever takes it raises its fence. While both show that nobody
else was there, its findings, notes, code and secrets are as this worker left them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from migration.engine.step_run import StepRun
from migration.steps.number import Number
from state.enums import Status
from state.ledger.changes import AttemptClosed, CodeUsed, FactRefuted, NoteTaken, ResultFound, ResultsForgotten
from state.ledger.moves import Move, plain
from state.rows import FindingRow, Lease


@dataclass(frozen=True, slots=True)
class KeptNumber:
    number: Number
    fence: int  # of the lease under which it was left
    version: int
    next_step: str


class KeptNumbers:
    """At most one entry for each number that is between two of its steps."""

    def __init__(self) -> None:
        self._kept: dict[int, KeptNumber] = {}

    def keep(self, run: StepRun, move: Move, at: datetime) -> None:
        """After `move` was recorded at `at`. Nothing is kept of a number that waits, has ended or must be read anew."""
        number = number_after(run, move, at)
        if number is not None:
            self._kept[run.lease.migration_id] = KeptNumber(
                number, run.lease.fence, run.lease.version, move.to or move.step
            )

    def look_at(self, migration_id: int) -> KeptNumber | None:
        """Without taking it: its row is as it was before its last step."""
        return self._kept.get(migration_id)

    def take(self, lease: Lease, version: int) -> Number | None:
        """The number, where nobody has taken or changed it since it was kept. `version`: as it was read just now."""
        kept = self._kept.pop(lease.migration_id, None)
        if kept is None or (kept.fence + 1, kept.version) != (lease.fence, version):
            return None
        return kept.number


def number_after(run: StepRun, move: Move, at: datetime) -> Number | None:
    """The number with what the move has changed of its findings; None where more has changed than that."""
    if move.status is not Status.READY or move.itinerary is not None:
        return None
    results, notes = dict(run.number.results), dict(run.number.notes)
    open_attempt = run.attempt
    for change in move.changes:
        match change:
            case CodeUsed() | FactRefuted():
                return None
            case AttemptClosed(attempt_id) if open_attempt is not None and attempt_id == open_attempt.id:
                open_attempt = None
            case ResultFound(facts, since):
                results[move.step] = FindingRow(move.step, since or at, _plain(facts))
                notes.pop(move.step, None)
            case NoteTaken(facts):
                notes[move.step] = FindingRow(move.step, at, _plain(facts))
            case ResultsForgotten(steps):
                for step in steps:
                    results.pop(step, None)
                    notes.pop(step, None)
    return replace(run.number, results=results, notes=notes) if open_attempt is None else None


def _plain(facts: Mapping[str, object]) -> Mapping[str, object]:
    return plain(facts) or {}
