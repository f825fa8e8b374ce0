"""The itinerary of a number, as a table over the readings of both sides."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading, Reading
from migration.fleet.choose_itinerary import ItineraryChoice, NoItinerary, NumberReadings, choose_itinerary
from migration.steps.sunset import SUNSET
from state.enums import Disposition, Side

NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)
AFTER = SUNSET + timedelta(days=400)
SERVING, DOWN, REFUSED, SILENT = Reading.SERVING, Reading.NOT_SERVING, Reading.REFUSED, Reading.UNREACHABLE

NAMELESS = OnPremReading(Reading.NOT_SERVING, "unregistered", names_a_number=False)


def read(
    reading: Reading | OnPremReading | None,
    backup: bool | None = None,
    fact: str | None = None,
    expires: datetime | None = None,
    **cloud: Any,
) -> NumberReadings:
    fields = {"id": "1", "platform_type": "ON_PREMISE", "status": "CONNECTED", "is_on_biz_app": False} | cloud
    onprem = OnPremReading(reading, "", expires) if isinstance(reading, Reading) else reading
    return NumberReadings(CloudNumber.model_validate(fields), onprem, backup, fact)


VERIFIED: dict[str, Any] = {"code_verification_status": "VERIFIED"}
LOST: dict[str, Any] = {"status": "DISCONNECTED"}
NOWHERE: dict[str, Any] = {"platform_type": "NOT_APPLICABLE", "status": "DISCONNECTED"}
NEW: dict[str, Any] = NOWHERE | {"last_onboarded_time": (NOW - timedelta(days=3)).isoformat()}
OLD: dict[str, Any] = NOWHERE | {"last_onboarded_time": (NOW - timedelta(days=31)).isoformat()}

# readings, time -> itinerary, side, dark on arrival
TABLE: list[tuple[NumberReadings, datetime, str, Side, bool]] = [
    # the client runs
    (read(SERVING, True), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(SERVING, True, **VERIFIED), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(SERVING, True, "refused"), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(SERVING, True), AFTER, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(SERVING, False, **VERIFIED), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (read(SERVING, False, "refused", **VERIFIED), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (read(SERVING, False, "refused"), NOW, "CODE_AFTER", Side.ON_PREMISES, False),
    (read(SERVING, False, "accepted"), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (read(SERVING, False), NOW, "CODE_FIRST", Side.ON_PREMISES, False),
    (read(SERVING, True, **LOST), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    # the client says that it is off
    (read(DOWN), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(DOWN, **LOST), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(DOWN, **VERIFIED), NOW, "CODE_AFTER", Side.NEITHER, True),
    # it names no number: where Graph shows this one connected, it may be another's
    (read(NAMELESS), NOW, "WITH_BACKUP", Side.UNKNOWN, False),
    (read(NAMELESS, **LOST), NOW, "CODE_AFTER", Side.NEITHER, True),
    # Graph does not show whether it lives in the Business app: its own client does
    (read(SERVING, True, is_on_biz_app=None), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(DOWN, **LOST, is_on_biz_app=None), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(REFUSED, **LOST, is_on_biz_app=None), AFTER, "CODE_AFTER", Side.UNKNOWN, False),
    (read(None, **LOST, is_on_biz_app=None), AFTER, "CODE_AFTER", Side.UNKNOWN, False),
    (read(None, **NOWHERE, is_on_biz_app=None), NOW, "CODE_AFTER", Side.NEITHER, True),
    # silence: Graph decides what may be believed
    (read(REFUSED), NOW, "WITH_BACKUP", Side.UNKNOWN, False),
    (read(SILENT), NOW, "WITH_BACKUP", Side.UNKNOWN, False),
    (read(SILENT), AFTER, "WITH_BACKUP", Side.UNKNOWN, False),
    (read(REFUSED, **LOST), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    (read(SILENT, **LOST), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    (read(REFUSED, **LOST), AFTER, "CODE_AFTER", Side.NEITHER, True),
    (read(SILENT, **LOST), AFTER, "CODE_AFTER", Side.NEITHER, True),
    (read(SILENT, expires=NOW - timedelta(days=1), **LOST), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(SILENT, expires=AFTER + timedelta(days=1), **LOST), AFTER, "CODE_AFTER", Side.UNKNOWN, False),
    # no instance
    (read(None, **NEW), NOW, "ONBOARD", Side.NEITHER, False),
    (read(None, **OLD), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(None, **NOWHERE), NOW, "CODE_AFTER", Side.NEITHER, True),
    (read(None), NOW, "CODE_AFTER", Side.UNKNOWN, False),
    # onboarding lately does not make a number with an instance new
    (read(SERVING, True, last_onboarded_time=NOW.isoformat()), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(DOWN, last_onboarded_time=NOW.isoformat()), NOW, "CODE_AFTER", Side.NEITHER, True),
    # half on Cloud is not on Cloud
    (read(SERVING, True, platform_type="CLOUD_API", status="PENDING"), NOW, "WITH_BACKUP", Side.ON_PREMISES, False),
    (read(None, platform_type="CLOUD_API", status="DISCONNECTED"), NOW, "CODE_AFTER", Side.NEITHER, True),
]


@pytest.mark.parametrize(("readings", "now", "itinerary", "side", "dark"), TABLE)
def test_the_itinerary_is_chosen_by_the_readings(
    readings: NumberReadings, now: datetime, itinerary: str, side: Side, dark: bool
) -> None:
    choice = choose_itinerary(readings, now)
    assert isinstance(choice, ItineraryChoice)
    assert (choice.itinerary, choice.side, choice.dark_on_arrival) == (itinerary, side, dark)
    assert choice.reason


@pytest.mark.parametrize(("readings", "now", "itinerary", "side", "dark"), TABLE)
def test_an_operator_may_force_the_itinerary_but_not_the_side(
    readings: NumberReadings, now: datetime, itinerary: str, side: Side, dark: bool
) -> None:
    choice = choose_itinerary(readings, now, "CODE_FIRST")
    assert isinstance(choice, ItineraryChoice)
    assert (choice.itinerary, choice.reason) == ("CODE_FIRST", "the inventory says so")
    assert (choice.side, choice.dark_on_arrival) == (side, dark)


@pytest.mark.parametrize("kind", [None, *Reading])
@pytest.mark.parametrize("forced", [None, "WITH_BACKUP"])
def test_a_number_on_cloud_has_no_itinerary(kind: Reading | None, forced: str | None) -> None:
    choice = choose_itinerary(read(kind, platform_type="CLOUD_API"), NOW, forced)
    assert choice == NoItinerary(Disposition.ALREADY_ON_CLOUD, "Graph shows it connected on Cloud API")
