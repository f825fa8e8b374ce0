"""Which way a number goes, as a table over what both sides show."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremReading, Reading
from migration.fleet.choose_itinerary import ItineraryChoice, NoItinerary, NumberReadings, choose_itinerary
from migration.steps.both_sides import SUNSET
from state.enums import Disposition, Side

NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER = SUNSET + timedelta(days=400)
SERVING, DOWN, REFUSED, SILENT = Reading.SERVING, Reading.NOT_SERVING, Reading.REFUSED, Reading.UNREACHABLE


def look(
    kind: Reading | None,
    backup: bool | None = None,
    fact: str | None = None,
    expires: datetime | None = None,
    **cloud: Any,
) -> NumberReadings:
    shown = {"id": "1", "platform_type": "ON_PREMISE", "status": "CONNECTED"} | cloud
    onprem = OnPremReading(kind, "", expires) if kind is not None else None
    return NumberReadings(CloudNumber.model_validate(shown), onprem, backup, fact)


VERIFIED: dict[str, Any] = {"code_verification_status": "VERIFIED"}
LOST: dict[str, Any] = {"status": "DISCONNECTED"}
NOWHERE: dict[str, Any] = {"platform_type": "NOT_APPLICABLE", "status": "DISCONNECTED"}
NEW: dict[str, Any] = NOWHERE | {"last_onboarded_time": (NOW - timedelta(days=3)).isoformat()}
OLD: dict[str, Any] = NOWHERE | {"last_onboarded_time": (NOW - timedelta(days=31)).isoformat()}

# what was seen, when -> itinerary, side, dark on arrival
TABLE: list[tuple[NumberReadings, datetime, str, Side, bool]] = [
    # the client runs
    (look(SERVING, True), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(SERVING, True, **VERIFIED), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(SERVING, True, "refused"), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(SERVING, True), AFTER, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(SERVING, False, **VERIFIED), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (look(SERVING, False, "refused", **VERIFIED), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (look(SERVING, False, "refused"), NOW, "CODE_AFTER", Side.ON_PREMISES, False),
    (look(SERVING, False, "accepted"), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (look(SERVING, False), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (look(SERVING, True, **LOST), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    # the client says that it is off
    (look(DOWN), NOW, "CODE_AFTER", Side.NEITHER, True),
    (look(DOWN, **LOST), NOW, "CODE_AFTER", Side.NEITHER, True),
    (look(DOWN, **VERIFIED), NOW, "CODE_AFTER", Side.NEITHER, True),
    # silence: Graph decides what may be believed
    (look(REFUSED), NOW, "WITH_BACKUP", Side.UNKNOWN, False),
    (look(SILENT), NOW, "WITH_BACKUP", Side.UNKNOWN, False),
    (look(SILENT), AFTER, "WITH_BACKUP", Side.UNKNOWN, False),
    (look(REFUSED, **LOST), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    (look(SILENT, **LOST), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    (look(REFUSED, **LOST), AFTER, "CODE_AFTER", Side.NEITHER, True),
    (look(SILENT, **LOST), AFTER, "CODE_AFTER", Side.NEITHER, True),
    (look(SILENT, expires=NOW - timedelta(days=1), **LOST), NOW, "CODE_AFTER", Side.NEITHER, True),
    (look(SILENT, expires=AFTER + timedelta(days=1), **LOST), AFTER, "CODE_AFTER", Side.UNKNOWN, False),
    # no instance
    (look(None, **NEW), NOW, "ONBOARD", Side.NEITHER, True),
    (look(None, **OLD), NOW, "CODE_AFTER", Side.NEITHER, True),
    (look(None, **NOWHERE), NOW, "CODE_AFTER", Side.NEITHER, True),
    (look(None), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    # onboarding lately does not make a number with an instance new
    (look(SERVING, True, last_onboarded_time=NOW.isoformat()), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(DOWN, last_onboarded_time=NOW.isoformat()), NOW, "CODE_AFTER", Side.NEITHER, True),
    # half on Cloud is not on Cloud
    (look(SERVING, True, platform_type="CLOUD_API", status="PENDING"), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (look(None, platform_type="CLOUD_API", status="DISCONNECTED"), NOW, "CODE_AFTER", Side.NEITHER, True),
]


@pytest.mark.parametrize(("seen", "now", "itinerary", "side", "dark"), TABLE)
def test_a_way_is_chosen(seen: NumberReadings, now: datetime, itinerary: str, side: Side, dark: bool) -> None:
    way = choose_itinerary(seen, now)
    assert isinstance(way, ItineraryChoice)
    assert (way.itinerary, way.side, way.dark_on_arrival) == (itinerary, side, dark)
    assert way.reason


@pytest.mark.parametrize(("seen", "now", "itinerary", "side", "dark"), TABLE)
def test_an_operator_may_force_the_way_but_not_the_facts(
    seen: NumberReadings, now: datetime, itinerary: str, side: Side, dark: bool
) -> None:
    way = choose_itinerary(seen, now, "CODE_FIRST")
    assert isinstance(way, ItineraryChoice)
    assert (way.itinerary, way.reason) == ("CODE_FIRST", "the inventory says so")
    assert (way.side, way.dark_on_arrival) == (side, dark)


@pytest.mark.parametrize("kind", [None, *Reading])
@pytest.mark.parametrize("forced", [None, "WITH_BACKUP"])
def test_a_number_on_cloud_has_no_way_to_go(kind: Reading | None, forced: str | None) -> None:
    ended = choose_itinerary(look(kind, platform_type="CLOUD_API"), NOW, forced)
    assert ended == NoItinerary(Disposition.ALREADY_ON_CLOUD, "Graph shows it connected on Cloud API")
