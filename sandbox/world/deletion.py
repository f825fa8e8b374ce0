"""Numbers that people delete in WhatsApp Manager and add again. No API does it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

import random
from datetime import timedelta
from typing import Any

from sandbox.errors import Wrong
from sandbox.world.number import SimNumber, Storage
from sandbox.world.world import World

# A number from which paid messages were sent within these days cannot be deleted.
PAID = timedelta(days=30)


def delete(world: World, number: SimNumber, pin: Any) -> None:
    """Takes the number off whatever side it is on. A connected one with two-step on wants its PIN. Raises Wrong."""
    now = world.now()
    if number.deleted:
        raise Wrong(409, "the number is deleted already")
    if number.moving_until is not None:
        raise Wrong(409, "the number is being registered")
    if number.paid_at is not None and now - number.paid_at < PAID:
        raise Wrong(409, "paid messages were sent from the number in the last 30 days")
    if number.pin is not None and world.shown(number).status == "CONNECTED" and str(pin) != number.pin:
        raise Wrong(409, "a connected number is deleted with its PIN")
    with world.changing(number, now):
        number.deleted, number.deleted_at = True, now
        number.registered_then = number.registered
        number.platform = "NOT_APPLICABLE"
        number.code_status, number.verified_at, number.onboarded_at = "NOT_VERIFIED", None, None
        number.incomplete_deregistration = False
        number.storage, number.profile = Storage(), {}
        number.webhooks.clear()
        if world.switches.pin_after_deletion == "gone":
            number.pin = None


def add_again(world: World, number: SimNumber) -> None:
    """To the same account, by who has just proved with a code to hold it. Raises Wrong.

    `register` refuses it until its deletion is complete: 133015.
    """
    if not number.deleted:
        raise Wrong(409, "the number is not deleted")
    with world.changing(number) as now:
        number.deleted = False
        number.code_status, number.verified_at = "VERIFIED", now
        if world.switches.id_after_deletion == "new":
            _gets_another_id(world, number)


def _gets_another_id(world: World, number: SimNumber) -> None:
    """The old one stays that of a deleted number, and keeps its place in lists, so that cursors go on standing."""
    chance = random.Random(f"{world.seed}:added:{number.phone_number_id}")
    made = number.phone_number_id
    while made in world.by_id:
        made = f"10{chance.randrange(10**13, 10**14)}"
    number.phone_number_id = made
    world.by_id[made] = number
    world.wabas[number.waba_id].phone_number_ids.append(made)
