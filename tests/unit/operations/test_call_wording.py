"""How many numbers may cross now within Graph's limits."""

from datetime import UTC, datetime, timedelta

import pytest

from migration.operations.call_wording import can_cross, limit_document, limit_line
from state.ledger.call_window import CallWindow
from state.queries.calls import CallLimit

NOW = datetime(2026, 11, 26, 14, 0, tzinfo=UTC)
MADE = NOW - timedelta(minutes=42)


def limit(
    made: int, *, active: bool = True, waiting: int = 3, kept: int = 0, crossing: int = 0, closed: bool = False
) -> CallLimit:
    window = CallWindow(NOW, active, {MADE.isoformat(): made})
    until = NOW + timedelta(minutes=9) if closed else None
    return CallLimit("app", "1029", window, ("WITH_BACKUP",) * waiting, kept, crossing, until)


@pytest.mark.parametrize(
    ("of", "count"),
    [
        (limit(4_990), 0),
        (limit(5_000 - 40 - 21), 1),
        (limit(5_000 - 40 - 62), 2),
        (limit(0), 3),
        (limit(5_000 - 40 - 42, kept=21, crossing=1), 1),
        (limit(0, active=False), 1),
        (limit(0, active=False, kept=21, crossing=1), 0),
        (limit(0, closed=True), 0),
    ],
    ids=[
        "spent",
        "for one",
        "nearly three",
        "enough",
        "kept for one",
        "inactive",
        "one crosses first",
        "throttled",
    ],
)
def test_how_many_can_cross_now(of: CallLimit, count: int) -> None:
    assert can_cross(of) == count


def test_the_line_says_how_many_now_and_when_the_next() -> None:
    line = "WABA 1029: 10 of 5,000 calls left this hour; 0 of 3 numbers that wait for calls can move now; "
    assert limit_line(limit(4_990)) == f"{line}the next at 14:20 UTC"
    assert "Graph takes no calls until 14:09 UTC; 0 of 3" in limit_line(limit(0, closed=True))
    document = limit_document(limit(4_990))
    assert (document["can_move_now"], document["waiting"], document["calls_left"]) == (0, 3, 10)
