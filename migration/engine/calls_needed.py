"""How many calls to Graph each itinerary needs from its pause on. Imports no client."""

from collections.abc import Mapping

from migration.engine.itineraries import ItineraryName

# Management calls from the first gate to the end of the itinerary. A test runs each one and counts them.
NEEDS: Mapping[ItineraryName, int] = {
    ItineraryName.WITH_BACKUP: 5,
    ItineraryName.CODE_FIRST: 4,
    ItineraryName.CODE_AFTER: 7,
    ItineraryName.ONBOARD: 3,
    ItineraryName.BACK_TO_ONPREM: 9,
    ItineraryName.FORWARD_RECOVERY: 3,
}
# Readings until the outcome of one call without an answer is known: 2 s after it, then later and later, for 110 s.
TO_SETTLE = 16
