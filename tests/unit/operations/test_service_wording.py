"""The sentences about whether a number is served, and since when not."""

from datetime import timedelta
from typing import Any

import pytest

from migration.operations.service_wording import dark_since_text, outage_text, service_document, side_text
from state.enums import Side
from tests.harness.positions import NOW, make_position

SERVED: dict[str, Any] = {"served_at": NOW, "served_on": Side.ON_PREMISES, "seen_at": NOW, "side": Side.ON_PREMISES}
DARK = SERVED | {"dark_from": NOW + timedelta(seconds=8), "dark_until": NOW + timedelta(seconds=9)}
BY_US = DARK | {"side": Side.NEITHER, "dark_by_us": True}
ARRIVED = {"side": Side.NEITHER, "dark_from": NOW, "dark_until": NOW}
CALLED = SERVED | {"side": Side.UNKNOWN, "dark_since": NOW, "dark_by_us": True}


@pytest.mark.parametrize(
    ("state", "side", "outage"),
    [
        (SERVED, "on_premises, seen 12 s ago", "-"),
        (BY_US, "neither, seen 12 s ago", "DARK 4 s to 12 s"),
        (DARK, "neither, seen 12 s ago", "DARK 4 s to 12 s, not by us"),
        (CALLED, "unknown, seen 12 s ago", "may be dark, at most 12 s"),
        (ARRIVED, "neither", "dark on arrival, at least 12 s"),
        (SERVED | {"outage_seconds": 5.13, "outage_at_least": 4.6}, "on_premises, seen 12 s ago", "5.1 s"),
        (SERVED | {"outage_seconds": 5.9, "outage_at_least": 3.2}, "on_premises, seen 12 s ago", "3 to 6 s"),
        (SERVED | {"outage_seconds": 5.9, "outage_at_least": 0.0}, "on_premises, seen 12 s ago", "at most 5.9 s"),
        ({"side": Side.NEITHER, "itinerary": "CODE_AFTER", "dark_since": NOW}, "neither", "-"),
        ({"side": Side.UNKNOWN, "itinerary": "CODE_AFTER", "dark_since": NOW}, "unknown", "-"),
    ],
    ids=["served", "by us", "by itself", "a call", "arrival", "close", "range", "no reading", "new", "new, called"],
)
def test_the_side_with_its_age_and_the_outage_with_its_bounds(state: dict[str, Any], side: str, outage: str) -> None:
    position, now = make_position(**state), NOW + timedelta(seconds=12)
    assert (side_text(position, now), outage_text(position, now)) == (side, outage)


def test_the_side_of_a_restored_record_is_unknown_until_both_sides_were_read() -> None:
    restored = make_position(**SERVED, sides_read=False)
    since = f"unknown since the restore; on_premises on record of {NOW:%Y-%m-%d %H:%M} UTC"
    assert (side_text(restored, NOW), service_document(restored, NOW)["side"]) == (since, Side.UNKNOWN)
    ended = make_position(**SERVED, sides_read=False, ended_at=NOW)
    assert service_document(ended, NOW)["side"] is Side.ON_PREMISES


def test_since_when_it_is_dark_and_when_it_was_last_seen_serving() -> None:
    position = make_position(**BY_US)
    dark = f"{NOW + timedelta(seconds=8):%Y-%m-%d %H:%M:%S} UTC"
    served = f"(last seen serving: {NOW:%Y-%m-%d %H:%M:%S} UTC)"
    assert dark_since_text(position, NOW + timedelta(seconds=9)) == f"dark since {dark} {served}"
    assert dark_since_text(make_position(**SERVED), NOW) is None


def test_it_may_be_dark_only_since_it_was_last_seen_serving() -> None:
    """`register` was refused, and a reading after it shows the client serving still."""
    seen = NOW + timedelta(seconds=8)
    position = make_position(**(SERVED | {"side": Side.UNKNOWN, "dark_since": NOW, "served_at": seen}))
    at = f"{seen:%Y-%m-%d %H:%M:%S} UTC"
    told = f"maybe dark since {at} (last seen serving: {at})"
    assert dark_since_text(position, NOW + timedelta(seconds=9)) == told


def test_json_has_both_bounds_and_the_time_of_the_reading() -> None:
    document = service_document(make_position(**BY_US), NOW + timedelta(seconds=12))
    names = ("side", "dark_at_least_s", "dark_at_most_s", "dark_s", "seen_at", "last_served_at")
    assert [document[name] for name in names] == ["neither", 4.0, 12.0, 12.0, NOW, NOW]
    arrived = service_document(make_position(**ARRIVED), NOW + timedelta(seconds=12))
    assert (arrived["dark_s"], arrived["dark_at_most_s"], arrived["last_served_at"]) == (12.0, None, None)
    moved = SERVED | {"outage_seconds": 5.9, "outage_at_least": 3.2}
    document = service_document(make_position(**moved), NOW)
    assert [document[f"outage_{name}"] for name in ("s", "at_least_s", "at_most_s")] == [5.9, 3.2, 5.9]
