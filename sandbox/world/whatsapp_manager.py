"""What people do on Meta's pages, in WhatsApp Manager and at Meta itself: no API does it, and partners hear of it.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/two-step-verification
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.errors import Refusal, Wrong
from sandbox.world import deletion as deleting
from sandbox.world import display_names as naming
from sandbox.world import events as callbacks
from sandbox.world import health, registering
from sandbox.world.number import SimNumber
from sandbox.world.register_checks import PIN
from sandbox.world.world import World

Told = Mapping[str, Any]


def act(world: World, number: SimNumber, told: Told) -> dict[str, Any]:
    """Raises Wrong."""
    what = str(told.get("do"))
    if what not in ACTIONS:
        raise Wrong(400, f"do is one of {', '.join(ACTIONS)}")
    with world.changing(number):
        ACTIONS[what](world, number, told)
    return {"done": what, "e164": number.e164, "phone_number_id": number.phone_number_id}


def _set_pin(world: World, number: SimNumber, told: Told) -> None:
    """In Manager a change asks for nothing here; over there it asks for the old PIN."""
    if not PIN.fullmatch(str(told.get("pin"))):
        raise Wrong(400, "pin has six digits")
    number.pin = str(told["pin"])
    callbacks.security(world, number, "PIN_CHANGED")


def _two_step_off(world: World, number: SimNumber, told: Told) -> None:
    """By a link in an e-mail; needs neither the PIN nor the On-Premises host."""
    number.pin = None
    callbacks.security(world, number, "PIN_RESET_REQUEST", str(told.get("requester") or "1"))
    callbacks.security(world, number, "PIN_REQUEST_SUCCESS")


def _rename(world: World, number: SimNumber, told: Told) -> None:
    try:
        naming.ask_for(world, number, told.get("name"))
    except Refusal as refusal:
        raise Wrong(409, refusal.details or refusal.message) from None


def _decide(*, approved: bool) -> "Act":
    def decide(world: World, number: SimNumber, told: Told) -> None:
        if not naming.decide(world, number, approved=approved):
            raise Wrong(409, "no name is in review")

    return decide


def _sign_up(world: World, number: SimNumber, told: Told) -> None:
    """The number's owner goes through Embedded Signup (again), which verifies it: 14 days from now.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/get-started-for-solution-partners
    """
    if number.side != "neither":
        raise Wrong(409, "the number is in use")
    if number.deleted:
        deleting.add_again(world, number)
    number.onboarded_at = number.verified_at = world.now()
    number.code_status = "VERIFIED"
    world.wabas[number.waba_id].orders.clear()


def _accept_terms(world: World, number: SimNumber, told: Told) -> None:
    """Once for a business, so for all of its numbers."""
    business = world.businesses[world.wabas[number.waba_id].business_id]
    business.terms_accepted = True
    for waba in world.wabas.values():
        if waba.business_id == business.id:
            for one in waba.phone_number_ids:
                world.by_id[one].tos_missing = False


def _upgrade(world: World, number: SimNumber, told: Told) -> None:
    """As for a number that has earned high throughput."""
    if number.platform != "CLOUD_API" or number.on_business_app:
        raise Wrong(409, "only a number on Cloud that is not in the Business app is upgraded")
    registering.upgrade_throughput(world, number, world.now())


def _ban(world: World, number: SimNumber, told: Told) -> None:
    number.banned = True
    ban = {"waba_ban_state": "DISABLE", "waba_ban_date": world.now().strftime("%B %d, %Y")}
    callbacks.account_updated(world, number, "DISABLED_UPDATE", ban_info=ban)


def _reinstate(world: World, number: SimNumber, told: Told) -> None:
    number.banned = False
    ban = {"waba_ban_state": "REINSTATE", "waba_ban_date": world.now().strftime("%B %d, %Y")}
    callbacks.account_updated(world, number, "DISABLED_UPDATE", ban_info=ban)


def _remove_partner(world: World, number: SimNumber, told: Told) -> None:
    """The WABA's owner takes its access away from every token that had it."""
    callbacks.account_updated(world, number, "PARTNER_REMOVED")
    for token in world.tokens.values():
        seen = token.wabas if token.wabas is not None else frozenset(world.wabas)
        token.wabas = seen - {number.waba_id}


def _delete(world: World, number: SimNumber, told: Told) -> None:
    deleting.delete(world, number, told.get("pin"))


def _add(world: World, number: SimNumber, told: Told) -> None:
    deleting.add_again(world, number)


def _stop_paying(world: World, number: SimNumber, told: Told) -> None:
    """Paying is the account's: every number of it feels it."""
    health.put(world, number, health.PAYMENT)


def _pay(world: World, number: SimNumber, told: Told) -> None:
    health.solve(world, number, health.PAYMENT)


Act = Callable[[World, SimNumber, Told], None]
ACTIONS: Mapping[str, Act] = {
    "set_pin": _set_pin,
    "two_step_off": _two_step_off,
    "rename": _rename,
    "approve_name": _decide(approved=True),
    "decline_name": _decide(approved=False),
    "sign_up": _sign_up,
    "accept_terms": _accept_terms,
    "upgrade_throughput": _upgrade,
    "ban": _ban,
    "reinstate": _reinstate,
    "remove_partner": _remove_partner,
    "delete_number": _delete,
    "add_number": _add,
    "payment_problem": _stop_paying,
    "payment_solved": _pay,
}
