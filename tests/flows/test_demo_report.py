"""The demo's last line, from a record."""

from datetime import UTC, datetime
from typing import Any

import pytest

from migration.demo.report import DemoResult, percentile, problems, summary
from state.enums import Status

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class At:
    """A number migration, as far as the report looks at it."""

    def __init__(self, ref: str, itinerary: str, status: Status) -> None:
        self.ref, self.itinerary, self.status = ref, itinerary, status
        self.ended_at = NOW if status is Status.DONE else None


def seen(e164: str, side: str, outage_s: float | None = None, **more: int) -> dict[str, Any]:
    counts = {"double_effects": 0, "wrong_pins": 0, "sends_to_dead_side": 0}
    return {"e164": e164, "side": side, "outage_s": outage_s} | counts | more


BEFORE = [seen("+1", "on_premises"), seen("+2", "neither"), seen("+3", "neither")]
BOARD = [
    At("N-0001", "WITH_BACKUP", Status.DONE),
    At("N-0002", "CODE_AFTER", Status.DONE),
    At("N-0003", "CODE_AFTER", Status.BLOCKED),
]


def ending(**changed: Any) -> DemoResult:
    told: dict[str, Any] = {
        "before": BEFORE,
        "after": [seen("+1", "cloud", 1.5), seen("+2", "cloud", 500.0), seen("+3", "neither")],
        "calls": [{"call": "register"}, {"call": "register"}, {"call": "get.number"}],
        "board": BOARD,
        "without_migration": [],
        "now": NOW,
        "killed": 1,
    }
    return DemoResult(**(told | changed))


def test_the_line() -> None:
    assert summary(ending()) == {
        "numbers": 3,
        "on_cloud": 2,
        "blocked": 1,
        "itineraries": {"CODE_AFTER": 2, "WITH_BACKUP": 1},
        "outage_s": {"p50": 1.5, "p99": 1.5},  # the second number came dark
        "calls": {"register": 2},
        "double_effects": 0,
        "killed": 1,
        "wrong_pins": 0,
        "sends_to_dead_side": 0,
    }
    assert problems(ending()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"killed": 0}, "no worker was killed"),
        ({"after": [seen("+1", "cloud", 1.5), seen("+2", "neither"), seen("+3", "neither")]}, "1 numbers are neither"),
        (
            {"after": [seen("+1", "cloud", double_effects=1), seen("+2", "cloud"), seen("+3", "neither")]},
            "double_effects",
        ),
        ({"board": [*BOARD[:2], At("N-0003", "CODE_AFTER", Status.WAITING)]}, "N-0003"),
    ],
)
def test_a_story_that_did_not_come_out(changed: dict[str, Any], said: str) -> None:
    assert any(said in one for one in problems(ending(**changed)))


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([2.0], 0.99, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
    ],
)
def test_percentiles_are_values_that_occurred(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected
