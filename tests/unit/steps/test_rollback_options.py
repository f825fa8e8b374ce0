"""Whether a number can be rolled back, before anybody has read its sides and after."""

from datetime import UTC, datetime, timedelta

import pytest

from migration.steps.rollback_options import (
    RollbackFacts,
    RollbackOption,
    RollbackState,
    assess_rollback,
    summarize_rollbacks,
)
from migration.steps.sunset import SUNSET

BEFORE = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER = SUNSET + timedelta(days=30)
LATER = AFTER + timedelta(days=30)
NOT_READ = "not looked at yet: `cutover preflight` looks"

CASES = {
    "nobody has looked": (RollbackFacts(True, True, None, None, None), BEFORE, "unknown", NOT_READ),
    "nobody has looked, and it was measured to be open": (
        RollbackFacts(True, True, None, "open", None),
        BEFORE,
        "unknown",
        NOT_READ,
    ),
    "it serves after the sunset, and nobody asked its client": (
        RollbackFacts(True, True, None, None, None),
        AFTER,
        "unknown",
        NOT_READ,
    ),
    "it serves nowhere after the sunset": (RollbackFacts(True, False, None, None, None), AFTER, "closed", "2025-10-23"),
    "a client that told nothing": (
        RollbackFacts(True, True, None, None, True),
        AFTER,
        "closed",
        "expired on 2025-10-23",
    ),
    "a client that lives longer": (RollbackFacts(True, True, LATER, None, True), AFTER, "unknown", "not measured"),
    "a client that expired": (
        RollbackFacts(True, True, BEFORE, "open", True),
        BEFORE,
        "closed",
        "expired on 2025-09-01",
    ),
    "no instance": (RollbackFacts(False, False, None, None, None), BEFORE, "closed", "no On-Premises instance"),
    "measured to be blocked": (
        RollbackFacts(True, True, None, "blocked", None),
        BEFORE,
        "closed",
        "blocked (field fact)",
    ),
    "measured to be open": (RollbackFacts(True, True, LATER, "open", False), BEFORE, "open", "measured to work"),
    "only stopped, whatever was measured": (
        RollbackFacts(True, False, LATER, "blocked", False, stopped=True),
        BEFORE,
        "open",
        "only stopped",
    ),
    "only stopped, and expired since": (
        RollbackFacts(True, False, BEFORE, None, False, stopped=True),
        AFTER,
        "closed",
        "expired",
    ),
    "a code would be needed": (RollbackFacts(True, True, LATER, None, False), BEFORE, "closed", "would need a code"),
}


@pytest.mark.parametrize("name", CASES)
def test_assess_rollback(name: str) -> None:
    facts, now, state, reason = CASES[name]
    option = assess_rollback(facts, now)
    assert (option.state, reason in option.reason) == (state, True), option


def test_a_summary_gives_each_reason_once() -> None:
    expired, unmeasured = (
        RollbackOption(RollbackState.CLOSED, "expired"),
        RollbackOption(RollbackState.UNKNOWN, "not measured"),
    )
    assert summarize_rollbacks([unmeasured, expired, expired]) == "2 closed (expired), 1 unknown (not measured)"
    assert summarize_rollbacks([]) == "none"
