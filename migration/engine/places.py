"""Where a number is before its next step: before its gate, at it, or past it."""

from dataclasses import dataclass, replace
from enum import Enum

from migration.engine.itineraries import Itinerary, ItineraryName, itinerary_named
from state.enums import Side, Status
from state.rows import Lease, Position

# Recovery itineraries bypass the wave's concurrency limit.
UNLIMITED = frozenset(
    {ItineraryName.ABORT.value, ItineraryName.BACK_TO_ONPREM.value, ItineraryName.FORWARD_RECOVERY.value}
)


class Place(Enum):
    """Where a number is before its next step."""

    BEFORE_GATE = "before its gate"
    AT_GATE = "at its gate"
    PAST_GATE = "past its gate, dark, or with its senders paused"


@dataclass(frozen=True, slots=True)
class KnownPlace:
    """What is known of a number before its next step. `seen`: its row, where it had to be read for that."""

    place: Place
    serves_still: bool  # only its senders wait, if anything does
    seen: Position | None = None


def place_of(state: Position, step: str) -> Place:
    """`step`: its next one, where that is known to be another than in `state`."""
    itinerary = itinerary_named(state.itinerary)
    dark = state.dark_by_us or (state.side is Side.NEITHER and itinerary.name is not ItineraryName.ONBOARD)
    if state.crossed_at is not None or state.paused_at is not None or dark or itinerary.name in UNLIMITED:
        return Place.PAST_GATE
    return Place.AT_GATE if _is_gated(itinerary, step) else Place.BEFORE_GATE


def serves_still(state: Position) -> bool:
    """Only its senders wait: it has not crossed, and the last reading showed a side that serves it."""
    return state.crossed_at is None and not state.dark_by_us and state.side in (Side.ON_PREMISES, Side.CLOUD)


def goes_on_without_gate(state: Position, itinerary: Itinerary, step: str) -> bool:
    """Whether nothing has to be waited for between a step that is done now and the one after it."""
    following = itinerary.after(step)
    if following is None:
        return False
    passes_now = itinerary.at(step).gated or place_of(state, step) is Place.PAST_GATE
    return passes_now or not itinerary.at(following).gated


def _is_gated(itinerary: Itinerary, step: str) -> bool:
    return itinerary.has(step) and itinerary.at(step).gated


def under_lease(seen: Position | None, lease: Lease) -> Position | None:
    """The row that was read right before the lease was taken, as the lease left it; None where it was changed since.

    A row that was returned by the write that took the lease is that already.
    """
    if seen is None or seen.version != lease.version or seen.fence not in (lease.fence, lease.fence - 1):
        return None
    if seen.fence == lease.fence:
        return seen
    return replace(
        seen,
        status=Status.RUNNING,
        worker_gone=False,
        lease_holder=lease.holder,
        lease_until=lease.until,
        fence=lease.fence,
    )
