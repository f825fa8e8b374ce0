"""Chooses the itinerary of a number from a reading of both sides. Pure functions."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from migration.clients.cloud_standing import ClientConnection, CloudStanding
from migration.clients.graph_models import CloudNumber
from migration.clients.onprem_reading import OnPremReading, Reading
from migration.engine.itineraries import ItineraryName
from migration.steps.both_sides import is_unidentified, may_be_on_app, not_movable, unnamed_client
from migration.steps.sunset import SUNSET
from state.enums import Disposition, Side

# A number without an instance that went through Embedded Signup more recently than this is new to Cloud. Whether it can
# still be registered (within 14 days) is checked by the step `register`.
NEW_FOR = timedelta(days=30)
CONNECTED, DELETED = "CONNECTED", "DELETED"  # values of Graph's field `status`


@dataclass(frozen=True, slots=True)
class NumberReadings:
    """What both sides showed of one number."""

    cloud: CloudNumber
    onprem: OnPremReading | None  # None: the number has no instance
    backup_works: bool | None  # None: not tried, because the instance does not serve
    code_while_on_premises: str | None = None  # field fact: "accepted", "refused", or None if it was not measured


@dataclass(frozen=True, slots=True)
class ItineraryChoice:
    itinerary: ItineraryName
    reason: str
    side: Side
    dark_on_arrival: bool = False


@dataclass(frozen=True, slots=True)
class NoItinerary:
    """There is nothing to move."""

    disposition: Disposition
    reason: str


def choose_itinerary(
    readings: NumberReadings, now: datetime, forced: str | None = None
) -> ItineraryChoice | NoItinerary:
    """`forced`, from the inventory, wins, except for a number that is on Cloud or was deleted: it has no itinerary."""
    if readings.cloud.registered:
        word = "" if readings.cloud.status == CONNECTED else f" ({readings.cloud.status})"
        return NoItinerary(Disposition.ALREADY_ON_CLOUD, f"Graph shows it connected on Cloud API{word}")
    if readings.cloud.status == DELETED:
        return NoItinerary(Disposition.DELETED, "Graph says that it was deleted")
    side, dark = _side(readings, now)
    dark = dark and not (readings.onprem is None and _is_new(readings.cloud, now))  # it was never in use
    if forced:
        return ItineraryChoice(ItineraryName(forced), "the inventory says so", side, dark)
    itinerary, reason = _itinerary(readings, now)
    return ItineraryChoice(itinerary, reason, side, dark)


def _side(readings: NumberReadings, now: datetime) -> tuple[Side, bool]:
    """The side that the number is on, and whether it is dark on arrival."""
    cloud, onprem = readings.cloud, readings.onprem
    if not_movable(cloud) is not None:
        return Side.UNKNOWN, False  # if something serves it, it is none of our two platforms
    if onprem is not None and onprem.kind is Reading.SERVING:
        return Side.ON_PREMISES, False
    if cloud.standing is CloudStanding.CANNOT_TELL or may_be_on_app(cloud, onprem):
        return Side.UNKNOWN, False
    if onprem is not None and is_unidentified(onprem, cloud):
        return Side.UNKNOWN, False
    if onprem is not None and onprem.kind is Reading.NOT_SERVING:
        return Side.NEITHER, True
    if cloud.client is not ClientConnection.DOWN and cloud.standing is not CloudStanding.COMING_UP:
        return Side.UNKNOWN, False  # Graph shows that something serves it; we cannot read what
    if onprem is None or now >= (onprem.expires_at or SUNSET):
        return Side.NEITHER, True
    return Side.UNKNOWN, False


def _itinerary(readings: NumberReadings, now: datetime) -> tuple[ItineraryName, str]:
    """The itinerary and the reason for it."""
    cloud = readings.cloud
    blocked = not_movable(cloud)
    if blocked is not None:
        return ItineraryName.CODE_AFTER, f"{blocked.reason}; it will stop at its first step, for a person"
    kind = readings.onprem.kind if readings.onprem is not None else None
    if kind is Reading.SERVING:
        return _itinerary_while_serving(readings)
    if kind is None and _is_new(cloud, now):
        return ItineraryName.ONBOARD, "new to Cloud: Embedded Signup done, no On-Premises instance"
    if kind is None:
        return ItineraryName.CODE_AFTER, "no On-Premises instance is left"
    if readings.onprem is not None and is_unidentified(readings.onprem, cloud):
        shown = f"Graph shows it connected, and its client {unnamed_client(readings.onprem)}"
        return ItineraryName.WITH_BACKUP, shown
    if kind is Reading.NOT_SERVING:
        return ItineraryName.CODE_AFTER, "its instance is not connected"
    if cloud.client is ClientConnection.LIVE:
        return ItineraryName.WITH_BACKUP, f"Graph shows it connected, but its instance is {kind} from here"
    return ItineraryName.CODE_AFTER, f"its instance is {kind} and Graph shows it {cloud.status}"


def _itinerary_while_serving(readings: NumberReadings) -> tuple[ItineraryName, str]:
    if readings.backup_works:
        return ItineraryName.WITH_BACKUP, "the client runs and its backup works"
    if readings.cloud.code_verification_status == "VERIFIED":
        return ItineraryName.CODE_FIRST, "no usable backup; the number is verified already"
    if readings.code_while_on_premises == "refused":
        reason = "no usable backup; codes are refused while a number is On-Premises (field fact)"
        return ItineraryName.CODE_AFTER, reason
    return ItineraryName.CODE_FIRST, "no usable backup; a code can be asked for while the number is On-Premises"


def _is_new(cloud: CloudNumber, now: datetime) -> bool:
    onboarded = cloud.last_onboarded_time
    return isinstance(onboarded, datetime) and now - onboarded <= NEW_FOR
