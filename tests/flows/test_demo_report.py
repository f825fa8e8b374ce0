"""The last line of the demo, and the problems it reports, from a made-up result."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from migration.demo.demo_run import KINDS, fleet_options
from migration.demo.report import DemoResult, percentile, problems, summary
from state.enums import Side, Status
from state.rows import Position
from tests.harness.hand_made_number import POSITION

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def migration(ref: str, itinerary: str, status: Status, **shown: Any) -> Position:
    ended = NOW if status is Status.DONE else None
    side = Side.CLOUD if ended is not None else Side.NEITHER
    return replace(POSITION, ref=ref, itinerary=itinerary, status=status, ended_at=ended, side=side, **shown)


PROVED: dict[str, Any] = {"smoke_state": "delivered", "sends_at": NOW, "receives_at": NOW}


def sandbox_number(e164: str, side: str, outage_s: float | None = None, **counters: int) -> dict[str, Any]:
    counts = {"double_effects": 0, "wrong_pins": 0, "sends_to_dead_side": 0}
    return {"e164": e164, "side": side, "outage_s": outage_s} | counts | counters


BEFORE = [sandbox_number("+1", "on_premises"), sandbox_number("+2", "neither"), sandbox_number("+3", "neither")]
BOARD = [
    migration("N-0001", "WITH_BACKUP", Status.DONE, **PROVED),
    migration("N-0002", "CODE_AFTER", Status.DONE, **PROVED, profile_lost="picture"),
    migration("N-0003", "CODE_AFTER", Status.BLOCKED),
]


def demo_result(**changes: Any) -> DemoResult:
    values: dict[str, Any] = {
        "before": BEFORE,
        "after": [
            sandbox_number("+1", "cloud", 1.5),
            sandbox_number("+2", "cloud", 500.0),
            sandbox_number("+3", "neither"),
        ],
        "calls": [{"call": "register"}, {"call": "register"}, {"call": "get.number"}],
        "board": BOARD,
        "without_migration": [],
        "now": NOW,
        "killed": 1,
    }
    return DemoResult(**(values | changes))


def test_the_summary_of_a_result() -> None:
    assert summary(demo_result()) == {
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
        "moved": 2,
        "in_service": 1,
    }
    assert problems(demo_result()) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"killed": 0}, "no worker was killed"),
        (
            {"board": [migration("N-0001", "WITH_BACKUP", Status.DONE, smoke_state="accepted"), *BOARD[1:]]},
            "no message has gone each way: N-0001",
        ),
        (
            {
                "after": [
                    sandbox_number("+1", "cloud", 1.5),
                    sandbox_number("+2", "neither"),
                    sandbox_number("+3", "neither"),
                ]
            },
            "1 numbers are neither",
        ),
        (
            {
                "after": [
                    sandbox_number("+1", "cloud", double_effects=1),
                    sandbox_number("+2", "cloud"),
                    sandbox_number("+3", "neither"),
                ]
            },
            "double_effects",
        ),
        ({"board": [*BOARD[:2], migration("N-0003", "CODE_AFTER", Status.WAITING)]}, "N-0003"),
    ],
)
def test_each_problem_is_reported(changes: dict[str, Any], problem: str) -> None:
    assert any(problem in line for line in problems(demo_result(**changes)))


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([2.0], 0.99, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.99, 99.0),
    ],
)
def test_a_percentile_is_a_value_that_occurred(values: list[float], share: float, expected: float | None) -> None:
    assert percentile(values, share) == expected


def test_the_fleet_of_a_demo_is_mixed_or_of_a_chosen_size() -> None:
    assert fleet_options(None) == ["--scenario", "demo"]
    assert fleet_options(6)[:4] == ["--numbers", "6", "--kinds", KINDS]
