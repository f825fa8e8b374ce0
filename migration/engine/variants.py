"""Steps that differ from one itinerary to another."""

from enum import StrEnum


class Variant(StrEnum):
    """How a step differs in one itinerary from what it does in the others."""

    USUAL = "usual"
    WITH_BACKUP = "with_backup"
    TO_ONPREM = "to_onprem"  # towards On-Premises, not Cloud
    NOWHERE = "nowhere"  # the number stays on the side where it is
