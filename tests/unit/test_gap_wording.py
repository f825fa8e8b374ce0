"""What was lost between the platforms: counted where somebody knows it, and named where nobody can."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from migration.operations.gap_wording import gap_lines
from state.enums import Side
from state.rows import FindingRow
from tests.harness.hand_made_number import NOW, POSITION

CROSSED = replace(POSITION, crossed_at=NOW, outage_seconds=5.1)


def lost(facts: dict[str, Any] | None, **columns: Any) -> dict[str, tuple[int | None, str]]:
    drain = {"drain": FindingRow("drain", NOW - timedelta(seconds=4), facts)} if facts is not None else {}
    return {line["what"]: (line["lost"], line["said"]) for line in gap_lines(replace(CROSSED, **columns), drain)}


@pytest.mark.parametrize(
    ("facts", "count", "said"),
    [
        ({"queued": 0}, 0, "none were queued 4 s before the crossing"),
        ({"queued": 3, "left": 3}, 3, "3 that the client still held were lost with it"),
        ({"queued": None, "left": None}, None, "the client did not tell how many it still held"),
        ({"nothing_to_drain": "refused"}, None, "the client did not serve"),
    ],
)
def test_callbacks_are_counted_where_the_client_told_them(facts: dict[str, Any], count: int | None, said: str) -> None:
    found, text = lost(facts)["callbacks"]
    assert found == count
    assert text.startswith(said)


def test_what_no_side_reports_is_named_and_not_counted() -> None:
    lines = lost(None)
    assert lines["messages of consumers"][0] is None
    assert "at most 5.1 s" in lines["messages of consumers"][1]
    assert lines["messages of senders"][0] is None
    assert lost(None, outage_seconds=None)["messages of consumers"] == (0, "no outage was seen")


@pytest.mark.parametrize("now", [{"dark_since": NOW}, {"side": Side.UNKNOWN}])
def test_of_an_outage_that_goes_on_nothing_is_counted(now: dict[str, Any]) -> None:
    count, said = lost(None, outage_seconds=None, **now)["messages of consumers"]
    assert count is None
    assert "until a side serves it again" in said


def test_senders_that_confirmed_their_pause_lost_nothing() -> None:
    assert lost(None, sender_gap_seconds=12.34)["messages of senders"] == (
        0,
        "the senders held theirs for 12.3 s, as they have confirmed",
    )
    assert lost(None, paused_at=NOW)["messages of senders"] == (0, "the senders still hold theirs")


def test_before_the_crossing_nothing_is_said() -> None:
    assert gap_lines(POSITION, {}) == []
