"""When a number served and when not: readings in, bounds of its outages out."""

from datetime import UTC, datetime, timedelta

import pytest

from state.enums import Side
from state.service import Outage, Service, Sighting, follow, outage_so_far

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ONPREM, CLOUD, NEITHER = Side.ON_PREMISES, Side.CLOUD, Side.NEITHER
LAG = 60.0


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def seen(side: Side, seconds: float, old_by: float = 0.0) -> Sighting:
    """A reading that took a tenth of a second."""
    return Sighting(side, at(seconds), at(seconds + 0.1), timedelta(seconds=old_by))


@pytest.mark.parametrize(
    ("sightings", "at_least", "at_most"),
    [
        ([seen(ONPREM, 0), seen(CLOUD, 5)], 0.0, 5.1),
        ([seen(ONPREM, 0), seen(NEITHER, 1), seen(CLOUD, 5)], 0.0, 5.1),
        ([seen(ONPREM, 0), seen(NEITHER, 1), seen(NEITHER, 4), seen(CLOUD, 5)], 2.9, 5.1),
        ([seen(ONPREM, 0), seen(NEITHER, 1), seen(NEITHER, 4, LAG), seen(CLOUD, 5)], 0.0, 5.1),
        ([seen(ONPREM, 0), seen(NEITHER, 1), seen(NEITHER, 90, LAG), seen(CLOUD, 95)], 28.9, 95.1),
        ([seen(CLOUD, 0), seen(NEITHER, 2), seen(NEITHER, 9), seen(ONPREM, 10)], 6.9, 10.1),
        ([seen(ONPREM, 0), seen(NEITHER, 1), seen(NEITHER, 4), seen(ONPREM, 5)], 2.9, 5.1),
        ([seen(ONPREM, 0), seen(CLOUD, 5), seen(NEITHER, 20), seen(NEITHER, 24), seen(ONPREM, 26)], 3.9, 26.2),
    ],
    ids=[
        "no reading between",
        "one",
        "two",
        "one may be old",
        "old ones",
        "back",
        "a break",
        "two outages",
    ],
)
def test_an_outage_lies_between_its_bounds(sightings: list[Sighting], at_least: float, at_most: float) -> None:
    known = follow(Service(), sightings)
    assert known.outage_at_least == pytest.approx(at_least)
    assert known.outage_seconds == pytest.approx(at_most)
    assert outage_so_far(known, at(100)) is None


@pytest.mark.parametrize(
    "sightings",
    [
        [seen(ONPREM, 0), seen(ONPREM, 5), seen(ONPREM, 60)],
        [seen(NEITHER, 0), seen(NEITHER, 5), seen(CLOUD, 60)],
        [seen(CLOUD, 0), seen(NEITHER, 5, LAG), seen(CLOUD, 10)],
        [seen(ONPREM, 0), seen(Side.UNKNOWN, 5), seen(ONPREM, 10)],
    ],
    ids=["it served all the time", "dark on arrival", "Graph shows what was before", "nobody can tell"],
)
def test_there_was_no_outage_of_a_number_in_service(sightings: list[Sighting]) -> None:
    known = follow(Service(), sightings)
    assert (known.outage_at_least, known.outage_seconds) == (None, None)


def test_dark_on_arrival_has_no_beginning_that_is_known() -> None:
    known = follow(Service(), [seen(NEITHER, 0), seen(NEITHER, 50)])
    assert outage_so_far(known, at(60.1)) == Outage(60.0, None)


def test_a_number_that_was_never_in_use_is_not_dark() -> None:
    known = follow(Service(), [seen(NEITHER, 0), seen(NEITHER, 50)], in_use=False)
    assert (outage_so_far(known, at(60)), known.seen_at) == (None, at(50))
    served = follow(known, [seen(CLOUD, 60)], in_use=False)
    assert served.outage_seconds is None
    assert outage_so_far(follow(served, [seen(NEITHER, 70)], in_use=False), at(80)) == Outage(9.9, 20.0)


def test_an_outage_that_goes_on_counts_from_the_last_moment_of_service() -> None:
    known = follow(Service(), [seen(ONPREM, 0), seen(NEITHER, 8), seen(NEITHER, 9)])
    assert outage_so_far(known, at(10)) == Outage(1.9, 10.0)
