"""Deletes numbers, and adds them again, as people do in WhatsApp Manager. No API does it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

import random
from datetime import timedelta
from typing import Any

from sandbox.errors import ControlError
from sandbox.world.number import SimNumber, Storage
from sandbox.world.world import World

# A number that sent a paid message within this time cannot be deleted.
PAID = timedelta(days=30)


def delete(world: World, number: SimNumber, pin: Any) -> None:
    """Takes the number off either side. A connected number with two-step needs its PIN. Raises ControlError."""
    now = world.now()
    if number.deleted:
        raise ControlError(409, "the number is deleted already")
    if number.moving_until is not None:
        raise ControlError(409, "the number is being registered")
    if number.paid_at is not None and now - number.paid_at < PAID:
        raise ControlError(409, "paid messages were sent from the number in the last 30 days")
    if number.pin is not None and world.read_view(number).status == "CONNECTED" and str(pin) != number.pin:
        raise ControlError(409, "a connected number is deleted with its PIN")
    with world.changing(number, now):
        number.deleted, number.deleted_at = True, now
        number.registered_before_deletion = number.registered
        number.platform = "NOT_APPLICABLE"
        number.code_status, number.verified_at, number.onboarded_at = "NOT_VERIFIED", None, None
        number.incomplete_deregistration = False
        number.storage, number.profile, number.picture = Storage(), {}, None
        number.webhooks.clear()
        if world.switches.pin_after_deletion == "gone":
            number.pin = None


def add_again(world: World, number: SimNumber) -> None:
    """Adds the number to the same account, verified by a code. Raises ControlError.

    `register` refuses it with 133015 until its deletion is complete.
    """
    if not number.deleted:
        raise ControlError(409, "the number is not deleted")
    with world.changing(number) as now:
        number.deleted = False
        number.code_status, number.verified_at = "VERIFIED", now
        if world.switches.id_after_deletion == "new":
            _give_another_id(world, number)


def _give_another_id(world: World, number: SimNumber) -> None:
    """The old id stays in the lists, as that of a deleted number, so that cursors remain valid."""
    chance = random.Random(f"{world.seed}:added:{number.phone_number_id}")
    new_id = number.phone_number_id
    while new_id in world.by_id:
        new_id = f"10{chance.randrange(10**13, 10**14)}"
    number.phone_number_id = new_id
    world.by_id[new_id] = number
    world.wabas[number.waba_id].phone_number_ids.append(new_id)
