"""What a router of the partner's has to know of one number: where to send, and whether sends wait. Pure functions.

docs/hooks.md describes each field.
"""

from datetime import datetime
from typing import Any

from migration.engine.itineraries import known_itinerary
from migration.engine.sender_needs import LONGEST_WAIT_PAUSED, PROVING
from migration.steps.pause_rules import FEED_NOTICE, PAUSE_LEASE
from state.enums import Party, Side, Status
from state.proof import ACCOUNT_ERRORS
from state.queries.routes import RouteFacts

OPEN, HELD = "open", "held"
PAUSE, RESUME = "pause_sends", "resume_sends"


def route_document(facts: RouteFacts, home: str) -> dict[str, Any]:
    """One number as the feed has it."""
    waits, until = sends(facts), _pause_ends(facts)
    return {
        "e164": facts.e164,
        "phone_number_id": facts.phone_number_id,
        "waba_id": facts.waba_id,
        "customer": facts.customer,
        "traffic": facts.traffic,
        "side": route_of(facts),
        "sends": waits,
        "until": until.isoformat() if waits == HELD and until is not None else None,
        "after_deadline": ("stay" if _may_be_dark(facts) else "resume") if waits == HELD else None,
        "refused": refused(facts) if waits == OPEN else None,
        "migration_id": facts.migration_id,
        "epoch": facts.epoch,
        "home": home,
    }


def route_of(facts: RouteFacts) -> str:
    """The side that serves; of a number on neither side, the one that its senders were told last."""
    if facts.side in (Side.ON_PREMISES, Side.CLOUD):
        return facts.side
    return Side.CLOUD if facts.route == Side.CLOUD else Side.ON_PREMISES


def sends(facts: RouteFacts) -> str:
    """Held while a hook has paused them, while the number may be dark, and between its pause and its crossing.

    The last also for a customer without a hook: a router that only asks learns of the pause by it, FEED_NOTICE before
    anything is stopped.
    """
    if facts.paused_at is not None:
        return HELD
    if _may_be_dark(facts) and facts.side not in (Side.ON_PREMISES, Side.CLOUD):
        return HELD
    if facts.hook is not None or facts.ended_at is not None or facts.next_step is None:
        return OPEN
    return HELD if _between_pause_and_resume(facts) or _is_noticed(facts) else OPEN


def refused(facts: RouteFacts) -> int | None:
    """The code with which Cloud refuses what its account sends; None where it is not known to."""
    on_cloud = facts.side == Side.CLOUD and facts.crossed_at is not None
    return facts.smoke_error if on_cloud and facts.smoke_error in ACCOUNT_ERRORS else None


def _is_noticed(facts: RouteFacts) -> bool:
    """It waits until the routers have had time to ask: `pause_sends` waits for nothing else of ours."""
    of_us = facts.status in (Status.WAITING, Status.RUNNING) and facts.waiting_on == Party.US
    return facts.next_step == PAUSE and of_us and facts.waiting_until is not None


def _pause_ends(facts: RouteFacts) -> datetime | None:
    """As told to a hook. Without one it counts from when the feed said first that sends are held."""
    if facts.pause_until is not None or facts.hook is not None:
        return facts.pause_until
    if _is_noticed(facts) and facts.waiting_until is not None:
        return facts.waiting_until - FEED_NOTICE + PAUSE_LEASE
    return facts.pause_found_at + PAUSE_LEASE if facts.pause_found_at is not None else None


def _between_pause_and_resume(facts: RouteFacts) -> bool:
    step = str(facts.next_step)
    itinerary = known_itinerary(facts.itinerary, step)
    if itinerary is None or not itinerary.has(PAUSE) or not itinerary.has(RESUME):
        return False
    done = {entry.name for entry in itinerary.before(step)}
    if PAUSE not in done or RESUME in done:
        return False
    if step in PROVING and facts.side == Side.CLOUD and _waits_long(facts):
        return False
    # Before its crossing a number that waits for a person serves where it was: much may wait if its senders do.
    return facts.crossed_at is not None or facts.status not in (Status.BLOCKED, Status.HELD)


def _waits_long(facts: RouteFacts) -> bool:
    """As `sender_need` counts it, for a customer without a hook."""
    until, ends = facts.waiting_until, _pause_ends(facts)
    if facts.status != Status.WAITING or until is None or ends is None:
        return False
    return until - ends > LONGEST_WAIT_PAUSED


def _may_be_dark(facts: RouteFacts) -> bool:
    return facts.crossed_at is not None or facts.side not in (Side.ON_PREMISES, Side.CLOUD)
