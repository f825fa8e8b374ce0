"""`register` and `deregister` on Cloud, and their effects.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration (with a backup: the move)
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import Refusal
from sandbox.world import account_events, display_names
from sandbox.world.number import SimNumber, Storage
from sandbox.world.register_checks import CHECKS, Attempt
from sandbox.world.world import World

MAINTENANCE = timedelta(seconds=60)


def register(world: World, number: SimNumber, body: Mapping[str, Any]) -> float:
    """Registers the number on Cloud; returns the seconds until the response. Raises Refusal."""
    number.registers += 1
    at = world.now()
    attempt = Attempt(world, number, body, at, number.register_budget.spend(at))
    for _, check in CHECKS:
        refusal = check(attempt)
        if refusal is not None:
            _apply_refusal(attempt)
            raise refusal
    return _succeed(attempt)


def _apply_refusal(attempt: Attempt) -> None:
    number, switches = attempt.number, attempt.world.switches
    if switches.failed_registers_count == "no" and attempt.within_budget:
        number.register_budget.give_back()
    drops = attempt.drops_onprem or switches.refused_register_drops_onprem == "yes"
    with attempt.world.changing(number, attempt.at):
        moving = number.moving_until is not None  # it has left On-Premises already, and will be on Cloud
        if drops and number.platform == "ON_PREMISE" and not number.on_business_app and not moving:
            number.cut_off = True
            if attempt.wrong_pin:
                number.platform = switches.platform_after_wrong_pin


def _succeed(attempt: Attempt) -> float:
    world, number = attempt.world, attempt.number
    number.registered += 1
    number.guesses.reset()
    renamed = display_names.apply_approved(number)
    if number.platform == "CLOUD_API":
        if not renamed:
            number.double_effects += 1  # it was on Cloud already: the call took effect twice
        return 0.0
    seconds = _duration(world, number)
    with world.changing(number, attempt.at):
        _leave_onprem(attempt)
        number.pin = attempt.pin
        number.moving_until = attempt.at + timedelta(seconds=seconds)
    world.settle(number)
    return seconds


def _duration(world: World, number: SimNumber) -> float:
    """Seconds that the move takes; up to 15 s are documented. 0 in-process."""
    if not world.calls_take_time or not world.switches.register_seconds:
        return 0.0
    return world.switches.register_seconds * world.draw(number).uniform(0.4, 1.0)


def _leave_onprem(attempt: Attempt) -> None:
    """Disconnects the On-Premises client; the contents of its backup move with the number."""
    world, number, contents = attempt.world, attempt.number, attempt.contents
    client = world.instance_of(number)
    if client is not None:
        client.moved = True
        client.registered = False
        if client.host == "up" and world.switches.health_after_move == "connection_refused":
            client.host = "stopped"
        if contents is not None and client.shards >= 2:
            upgrade_throughput(world, number, attempt.at)  # clients with two or more shards get high throughput
    number.cut_off, number.deregistered_at = False, None
    region = attempt.body.get("data_localization_region")
    if region is not None and world.switches.storage_set_by != "settings":
        number.storage = Storage("IN_COUNTRY_STORAGE_ENABLED", str(region))
    if contents is None:
        number.official = False
    keep = contents is not None and world.switches.profile_survives == "yes"
    number.moving_profile = dict(contents.profile) if keep and contents is not None else {}
    photo = client.photo if client is not None else None
    number.picture = hashlib.sha256(photo).hexdigest() if photo is not None and keep else None
    if photo is not None and not keep:
        account_events.picture_lost(world, number, attempt.at)


def upgrade_throughput(world: World, number: SimNumber, at: datetime) -> None:
    """Up to a minute of maintenance (131057), then the new level and its webhook.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput
    """
    number.maintenance_until = at + MAINTENANCE
    account_events.throughput_upgraded(world, number, number.maintenance_until)


def deregister(world: World, number: SimNumber) -> None:
    """Takes the number off Cloud. The number and its history stay; local storage is reset. Raises Refusal."""
    number.deregisters += 1
    at = world.now()
    if number.deleted:
        raise Refusal(33)
    if not number.deregister_budget.spend(at):
        raise Refusal(133016, "Too many deregister requests in 72 hours.")
    if number.on_business_app:
        raise Refusal(100, "Deregister is not available for numbers in use with the WhatsApp Business app.")
    if number.platform != "CLOUD_API" and not number.incomplete_deregistration:
        raise Refusal(133010, message="(#133010) Account not registered")
    with world.changing(number, at):
        number.platform = "NOT_APPLICABLE"
        number.incomplete_deregistration = False
        number.deregistered_at = at
        number.storage = Storage()
