"""What the engine decides about one step. Recorded as one write, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from migration.steps.outcomes import Blocked, CannotTell, Evidence, Held, Reopen, Switch, Waiting
from state.enums import AttemptEnd, Side
from state.ledger.changes import Change
from state.rows import OpenAttempt


@dataclass(frozen=True, slots=True)
class Advance:
    """The effect is in place: the number goes on to its next step. `event`: the kind of the event in its history."""

    evidence: Evidence
    event: str = "advanced"


@dataclass(frozen=True, slots=True)
class Closing:
    """How the open attempt is closed.

    `answer`: what is kept of the far side's answer. `side_before`: nothing can have happened, so the number is where
    it was before the intent.
    """

    attempt: OpenAttempt
    end: AttemptEnd
    answer: Mapping[str, Any] | None = None
    side_before: Side | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """One outcome and what is recorded with it.

    `closing` None: an open attempt stays open. `side`: from a reading of both sides. `note`: what the step remembers
    where the outcome carries none of its own. `failed`: counts towards the tries after which a person is asked.
    """

    outcome: Advance | Waiting | Blocked | Held | Reopen | Switch
    closing: Closing | None = None
    side: Side | None = None
    note: Mapping[str, Any] | None = None
    failed: bool = False
    changes: tuple[Change, ...] = ()  # what else the answer has changed


def advance(evidence: Evidence, event: str = "advanced", attempt: OpenAttempt | None = None) -> Decision:
    """The step is done; `attempt` is the attempt that did it, if one is open."""
    closing = Closing(attempt, AttemptEnd.DONE, evidence.facts) if attempt is not None else None
    return Decision(Advance(evidence, event), closing)


def pass_over(
    why: str,
    attempt: OpenAttempt | None = None,
    end: AttemptEnd = AttemptEnd.REFUSED,
    *,
    side: Side | None = None,
    side_before: Side | None = None,
) -> Decision:
    """An optional step that cannot be done: the number goes on without it.

    `side`: from a reading after its call. `side_before`: nothing can have happened, as in `Closing`.
    """
    evidence = Evidence({"skipped": why}, side=side)
    closing = Closing(attempt, end, evidence.facts, side_before) if attempt is not None else None
    return Decision(Advance(evidence, "passed_over"), closing)


def wait_for(probe: CannotTell) -> Decision:
    """Probe again when the step says so; an open attempt stays open."""
    return Decision(Waiting(probe.recheck_at, probe.on, probe.reason, probe.note))
