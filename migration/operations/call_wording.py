"""How many numbers may cross now within Graph's limits, where the limits hold some back. Pure functions.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from datetime import datetime
from typing import Any

from migration.engine.calls_needed import NEEDS, TO_SETTLE
from migration.engine.itineraries import ItineraryName
from state.queries.calls import CallLimit


def can_cross(limit: CallLimit) -> int:
    """How many of the numbers that wait have their calls now. In a WABA without a number on Cloud one goes first."""
    if limit.closed_until is not None:
        return 0
    most = len(limit.waiting) if limit.window.active else int(limit.crossing == 0)
    spare, count = limit.spare, 0
    for itinerary in limit.waiting[:most]:
        spare -= _needs(itinerary)
        if spare < 0:
            break
        count += 1
    return count


def next_at(limit: CallLimit) -> datetime | None:
    """When the next number has its calls; None where one has them now, or waits for the one that crosses first."""
    if can_cross(limit) or (limit.closed_until is None and not limit.window.active and limit.crossing):
        return None
    return limit.free_for(_needs(limit.waiting[0]))


def limit_line(limit: CallLimit) -> str:
    """One sentence about a WABA whose limit holds numbers back."""
    window, at = limit.window, next_at(limit)
    left = f"{window.left:,} of {window.limit:,} calls left this hour"
    if limit.closed_until is not None:
        left = f"Graph takes no calls until {limit.closed_until:%H:%M} UTC"
    numbers = f"{can_cross(limit)} of {len(limit.waiting)} numbers that wait for calls can move now"
    first = "; one crosses first and lifts the limit" if not window.active else ""
    return f"WABA {limit.waba_id}: {left}; {numbers}{first}{f'; the next at {at:%H:%M} UTC' if at else ''}"


def limit_document(limit: CallLimit) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "app_id": limit.app_id,
        "waba_id": limit.waba_id,
        "calls_left": limit.window.left,
        "calls_an_hour": limit.window.limit,
        "closed_until": limit.closed_until,
        "waiting": len(limit.waiting),
        "can_move_now": can_cross(limit),
        "next_at": next_at(limit),
    }


def _needs(itinerary: str) -> int:
    return NEEDS.get(ItineraryName(itinerary), 0) + TO_SETTLE
