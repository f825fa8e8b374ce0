"""Which way a number goes, from what both sides show. Pure: facts in, a choice with its reason out."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from migration.clients.graph_models import CloudNumber
from migration.clients.onprem import OnPremReading, Reading
from migration.engine.itineraries import ItineraryName
from migration.steps.both_sides import SUNSET, not_movable
from state.enums import Disposition, Side

# A number that went through Embedded Signup this recently and never had an instance is new, not stranded. The
# fourteen days in which it can be registered are looked at by `register` itself.
NEW_FOR = timedelta(days=30)
DELETED = "DELETED"  # what Graph shows as `status`


@dataclass(frozen=True, slots=True)
class NumberReadings:
    """One number as a census found it."""

    cloud: CloudNumber
    onprem: OnPremReading | None
    backup_works: bool | None  # None: not tried, because the instance does not serve
    code_while_on_premises: str | None = None  # field fact: "accepted", "refused" or not measured


@dataclass(frozen=True, slots=True)
class ItineraryChoice:
    itinerary: ItineraryName
    reason: str
    side: Side
    dark_on_arrival: bool = False


@dataclass(frozen=True, slots=True)
class NoItinerary:
    disposition: Disposition
    reason: str


def choose_itinerary(look: NumberReadings, now: datetime, forced: str | None = None) -> ItineraryChoice | NoItinerary:
    """Forced wins over every reason but two: a number that is on Cloud, or is no more, has no way to go."""
    if look.cloud.registered:
        return NoItinerary(Disposition.ALREADY_ON_CLOUD, "Graph shows it connected on Cloud API")
    if look.cloud.status == DELETED:
        return NoItinerary(Disposition.DELETED, "Graph says that it was deleted")
    side, dark = _side(look, now)
    name, because = (ItineraryName(forced), "the inventory says so") if forced else _choice(look, now)
    return ItineraryChoice(name, because, side, dark)


def _side(look: NumberReadings, now: datetime) -> tuple[Side, bool]:
    if not_movable(look.cloud) is not None:
        return Side.UNKNOWN, False  # it is served, or not, by something that is none of ours
    if look.onprem is not None and look.onprem.kind is Reading.SERVING:
        return Side.ON_PREMISES, False
    if look.onprem is not None and look.onprem.kind is Reading.NOT_SERVING:
        return Side.NEITHER, True
    if look.cloud.status == "CONNECTED":
        return Side.UNKNOWN, False  # Graph says that something serves it; we cannot see what
    if look.onprem is None or now >= (look.onprem.expires_at or SUNSET):
        return Side.NEITHER, True
    return Side.UNKNOWN, False


def _choice(look: NumberReadings, now: datetime) -> tuple[ItineraryName, str]:
    stop = not_movable(look.cloud)
    if stop is not None:
        return ItineraryName.CODE_AFTER, f"{stop.reason}; it will stop at its first step, for a person"
    kind = look.onprem.kind if look.onprem is not None else None
    if kind is Reading.SERVING:
        return _while_serving(look)
    if kind is None and _is_new(look.cloud, now):
        return ItineraryName.ONBOARD, "new to Cloud: Embedded Signup done, no On-Premises instance"
    if kind is None:
        return ItineraryName.CODE_AFTER, "no On-Premises instance is left"
    if kind is Reading.NOT_SERVING:
        return ItineraryName.CODE_AFTER, "its instance is not connected"
    if look.cloud.status == "CONNECTED":
        return ItineraryName.WITH_BACKUP, f"Graph shows it connected, but its instance is {kind} from here"
    return ItineraryName.CODE_AFTER, f"its instance is {kind} and Graph shows it {look.cloud.status}"


def _while_serving(look: NumberReadings) -> tuple[ItineraryName, str]:
    if look.backup_works:
        return ItineraryName.WITH_BACKUP, "the client runs and its backup works"
    if look.cloud.code_verification_status == "VERIFIED":
        return ItineraryName.CODE_FIRST, "no usable backup; the number is verified already"
    if look.code_while_on_premises == "refused":
        return (
            ItineraryName.CODE_AFTER,
            "no usable backup; codes are refused while a number is On-Premises (field fact)",
        )
    return ItineraryName.CODE_FIRST, "no usable backup; a code can be asked for while the number is On-Premises"


def _is_new(cloud: CloudNumber, now: datetime) -> bool:
    return cloud.last_onboarded_time is not None and now - cloud.last_onboarded_time <= NEW_FOR
