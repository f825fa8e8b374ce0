"""What is said of a way back before anybody has looked, and after."""

from datetime import UTC, datetime, timedelta

import pytest

from migration.steps.both_sides import SUNSET
from migration.steps.rollback_options import Known, Way, WayBack, judged, summed

BEFORE = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER = SUNSET + timedelta(days=30)
LATER = AFTER + timedelta(days=30)
UNLOOKED = "not looked at yet: `cutover preflight` looks"

SAID = {
    "nobody has looked": (Known(True, True, None, None, None), BEFORE, "unknown", UNLOOKED),
    "nobody has looked, and it was measured to be open": (
        Known(True, True, None, "open", None),
        BEFORE,
        "unknown",
        UNLOOKED,
    ),
    "it serves after the sunset, and nobody asked its client": (
        Known(True, True, None, None, None),
        AFTER,
        "unknown",
        UNLOOKED,
    ),
    "it serves nowhere after the sunset": (Known(True, False, None, None, None), AFTER, "closed", "2025-10-23"),
    "a client that told nothing": (Known(True, True, None, None, True), AFTER, "closed", "expired on 2025-10-23"),
    "a client that lives longer": (Known(True, True, LATER, None, True), AFTER, "unknown", "not measured"),
    "a client that expired": (Known(True, True, BEFORE, "open", True), BEFORE, "closed", "expired on 2025-09-01"),
    "no instance": (Known(False, False, None, None, None), BEFORE, "closed", "no On-Premises instance"),
    "measured to be blocked": (Known(True, True, None, "blocked", None), BEFORE, "closed", "blocked (field fact)"),
    "measured to be open": (Known(True, True, LATER, "open", False), BEFORE, "open", "measured to work"),
    "only stopped, whatever was measured": (
        Known(True, False, LATER, "blocked", False, stopped=True),
        BEFORE,
        "open",
        "only stopped",
    ),
    "only stopped, and expired since": (
        Known(True, False, BEFORE, None, False, stopped=True),
        AFTER,
        "closed",
        "expired",
    ),
    "a code would be needed": (Known(True, True, LATER, None, False), BEFORE, "closed", "would need a code"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said(name: str) -> None:
    known, now, way, reason = SAID[name]
    found = judged(known, now)
    assert (found.way, reason in found.reason) == (way, True), found


def test_a_sum_gives_each_reason_once() -> None:
    expired, unmeasured = WayBack(Way.CLOSED, "expired"), WayBack(Way.UNKNOWN, "not measured")
    assert summed([unmeasured, expired, expired]) == "2 closed (expired), 1 unknown (not measured)"
    assert summed([]) == "none"
