"""Display names: requested, reviewed by people at Meta, in effect only after another `register`.

https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names
"""

from datetime import timedelta
from typing import Any

from sandbox.errors import Refusal
from sandbox.world import account_events
from sandbox.world.number import SimNumber
from sandbox.world.world import World

# "10 times in a 30 day period".
CHANGES, PERIOD = 10, timedelta(days=30)
SHORTEST, LONGEST = 2, 75


def request_change(world: World, number: SimNumber, name: Any) -> None:
    """Submits a new name for review. Raises Refusal."""
    if number.deleted:
        raise Refusal(33)
    if not isinstance(name, str) or not SHORTEST <= len(name) <= LONGEST:
        raise Refusal(100, f"Param new_display_name must have {SHORTEST} to {LONGEST} characters.")
    if number.official:
        raise Refusal(100, "The name of an official business account is changed through support.")
    now = world.now()
    number.name_changes = [at for at in number.name_changes if now - at < PERIOD]
    if len(number.name_changes) >= CHANGES:
        raise Refusal(100, f"The display name was changed {CHANGES} times in 30 days.")
    number.name_changes.append(now)
    number.new_name, number.new_name_status, number.name_approved_at = name, "PENDING_REVIEW", None


def finish_review(world: World, number: SimNumber, *, approved: bool) -> bool:
    """Ends the review; False when there is none. An approved name waits up to 14 days for a `register`."""
    if number.new_name is None or number.new_name_status != "PENDING_REVIEW":
        return False
    number.new_name_status = "APPROVED" if approved else "DECLINED"
    number.name_approved_at = world.now() if approved else None
    account_events.name_decided(
        world,
        number,
        "APPROVED" if approved else "REJECTED",
        number.new_name,
        "NONE" if approved else "NAME_NOT_CONSISTENT_WITH_BRANDING",
    )
    return True


def apply_approved(number: SimNumber) -> bool:
    """Puts an approved name into effect, at `register`; False when there is none, or when its 14 days are over."""
    if number.new_name is None or number.new_name_status != "APPROVED":
        return False
    number.name, number.new_name, number.new_name_status = number.new_name, None, "NONE"
    number.name_approved_at = None
    return True
