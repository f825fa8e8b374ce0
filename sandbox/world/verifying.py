"""Verification codes, and the two-step PIN.

https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status/request_code/
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/two-step-verification
"""

from datetime import timedelta
from typing import Any

from sandbox.errors import Refusal
from sandbox.world.number import SimNumber
from sandbox.world.phones import Code
from sandbox.world.register_checks import PIN
from sandbox.world.world import World

METHODS = ("SMS", "VOICE", "IVR")


def request_code(world: World, number: SimNumber, method: Any, language: Any) -> None:
    """Sends a code. Raises Refusal (136024 with a subcode)."""
    if str(method).upper() not in METHODS or not language:
        raise Refusal(100, "Param code_method must be one of SMS, VOICE; language is required.")
    if number.on_business_app or number.banned:
        raise _not_eligible()
    if number.side == "on_premises" and _policy_on_premises(world, number) == "refused":
        raise _not_eligible()
    by_sms_to_landline = number.phone.receives == "voice" and str(method).upper() == "SMS"
    if by_sms_to_landline and world.switches.sms_to_landline == "refused":
        raise Refusal(136024, "This number cannot receive SMS.")
    if number.phone.sent_since(world.now() - timedelta(hours=24)) >= world.switches.codes_a_day:
        raise _too_many()
    send_code(world, number, str(method).upper())


def send_code(world: World, number: SimNumber, method: str) -> Code:
    digits = f"{world.draw(number).randrange(1_000_000):06d}"
    switches = world.switches
    return number.phone.send(
        digits, method, world.now(), switches.code_delay_s, switches.code_minutes, switches.code_tries
    )


def _policy_on_premises(world: World, number: SimNumber) -> str:
    return number.code_while_on_premises or world.switches.code_while_on_premises


def _not_eligible() -> Refusal:
    """The text says one hour; field reports saw it last for more than a day, also for VOICE."""
    text = {
        "error_user_title": "Servers Unavailable",
        "error_user_msg": "Please wait one hour and try again.",
    }
    return Refusal(136024, subcode=2388091, extra={"is_transient": False} | text)


def _too_many() -> Refusal:
    return Refusal(136024, "Too many codes were requested.", subcode=2388367, extra={"is_transient": False})


def verify_code(world: World, number: SimNumber, code: Any) -> None:
    """Verifies the number. Raises Refusal when the code is wrong, expired or used."""
    digits = str(code or "").replace("-", "").replace(" ", "")
    if not digits:
        raise Refusal(100, "Param code is required.")
    at = world.now()
    if not number.phone.accept(digits, at):
        raise Refusal(world.switches.verify_wrong_code, "The code is not valid.")
    with world.changing(number, at):
        number.code_status, number.verified_at = "VERIFIED", at


def set_pin(world: World, number: SimNumber, pin: Any) -> None:
    """Sets or replaces the PIN; the old one is not needed. Raises Refusal."""
    if not PIN.fullmatch(str(pin)):
        raise Refusal(100, "Param pin must be a string of 6 digits.")
    if number.on_business_app:
        raise Refusal(100, message="(#100) Missing Permission")
    if number.platform != "CLOUD_API" and world.switches.pin_while_not_on_cloud == "refused":
        raise Refusal(world.switches.pin_refused_code, "The phone number is not registered on Cloud API.")
    if number.platform == "ON_PREMISE" and world.switches.pin_while_not_on_cloud == "onprem_keeps":
        return  # success is answered, but the PIN that `register` checks is still the one of On-Premises
    with world.changing(number):
        number.pin = str(pin)
        number.guesses.reset()
