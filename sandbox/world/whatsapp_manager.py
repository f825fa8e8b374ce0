"""Actions of people in WhatsApp Manager and at Meta. No API does them; partners get webhooks about them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/two-step-verification
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update
"""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.errors import ControlError, Refusal
from sandbox.world import account_events, deletion, display_names, health, registering
from sandbox.world.number import SimNumber
from sandbox.world.register_checks import PIN
from sandbox.world.world import World

Body = Mapping[str, Any]


def act(world: World, number: SimNumber, body: Body) -> dict[str, Any]:
    """Performs `body["do"]`. Raises ControlError."""
    action = str(body.get("do"))
    if action not in ACTIONS:
        raise ControlError(400, f"do is one of {', '.join(ACTIONS)}")
    with world.changing(number):
        ACTIONS[action](world, number, body)
    return {"done": action, "e164": number.e164, "phone_number_id": number.phone_number_id}


def _set_pin(world: World, number: SimNumber, body: Body) -> None:
    """The real WhatsApp Manager asks for the old PIN; this action does not."""
    if not PIN.fullmatch(str(body.get("pin"))):
        raise ControlError(400, "pin has six digits")
    number.pin = str(body["pin"])
    account_events.security(world, number, "PIN_CHANGED")


def _two_step_off(world: World, number: SimNumber, body: Body) -> None:
    """By a link in an e-mail; neither the PIN nor the On-Premises host is needed."""
    number.pin = None
    account_events.security(world, number, "PIN_RESET_REQUEST", str(body.get("requester") or "1"))
    account_events.security(world, number, "PIN_REQUEST_SUCCESS")


def _rename(world: World, number: SimNumber, body: Body) -> None:
    try:
        display_names.request_change(world, number, body.get("name"))
    except Refusal as refusal:
        raise ControlError(409, refusal.details or refusal.message) from None


def _finish_review(*, approved: bool) -> "Act":
    def finish(world: World, number: SimNumber, body: Body) -> None:
        if not display_names.finish_review(world, number, approved=approved):
            raise ControlError(409, "no name is in review")

    return finish


def _sign_up(world: World, number: SimNumber, body: Body) -> None:
    """The number's owner goes through Embedded Signup (again), which verifies the number for 14 days.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/get-started-for-solution-partners
    """
    if number.side != "neither":
        raise ControlError(409, "the number is in use")
    if number.deleted:
        deletion.add_again(world, number)
    number.onboarded_at = number.verified_at = world.now()
    number.code_status = "VERIFIED"
    world.wabas[number.waba_id].orders.clear()


def _accept_terms(world: World, number: SimNumber, body: Body) -> None:
    """Accepts the terms for the business, so for all its numbers."""
    business = world.businesses[world.wabas[number.waba_id].business_id]
    business.terms_accepted = True
    for waba in world.wabas.values():
        if waba.business_id == business.id:
            for phone_number_id in waba.phone_number_ids:
                world.by_id[phone_number_id].tos_missing = False


def _upgrade(world: World, number: SimNumber, body: Body) -> None:
    """What Meta does for a number that qualifies for high throughput."""
    if number.platform != "CLOUD_API" or number.on_business_app:
        raise ControlError(409, "only a number on Cloud that is not in the Business app is upgraded")
    registering.upgrade_throughput(world, number, world.now())


def _ban(world: World, number: SimNumber, body: Body) -> None:
    number.banned = True
    ban = {"waba_ban_state": "DISABLE", "waba_ban_date": world.now().strftime("%B %d, %Y")}
    account_events.account_updated(world, number, "DISABLED_UPDATE", ban_info=ban)


def _reinstate(world: World, number: SimNumber, body: Body) -> None:
    number.banned = False
    ban = {"waba_ban_state": "REINSTATE", "waba_ban_date": world.now().strftime("%B %d, %Y")}
    account_events.account_updated(world, number, "DISABLED_UPDATE", ban_info=ban)


def _remove_partner(world: World, number: SimNumber, body: Body) -> None:
    """The WABA's owner removes the access of every token."""
    account_events.account_updated(world, number, "PARTNER_REMOVED")
    for token in world.tokens.values():
        visible = token.wabas if token.wabas is not None else frozenset(world.wabas)
        token.wabas = visible - {number.waba_id}


def _delete(world: World, number: SimNumber, body: Body) -> None:
    deletion.delete(world, number, body.get("pin"))


def _add(world: World, number: SimNumber, body: Body) -> None:
    deletion.add_again(world, number)


def _add_payment_problem(world: World, number: SimNumber, body: Body) -> None:
    """Payment belongs to the account: every number of it is affected."""
    health.add_problem(world, number, health.PAYMENT)


def _remove_payment_problem(world: World, number: SimNumber, body: Body) -> None:
    health.remove_problem(world, number, health.PAYMENT)


Act = Callable[[World, SimNumber, Body], None]
ACTIONS: Mapping[str, Act] = {
    "set_pin": _set_pin,
    "two_step_off": _two_step_off,
    "rename": _rename,
    "approve_name": _finish_review(approved=True),
    "decline_name": _finish_review(approved=False),
    "sign_up": _sign_up,
    "accept_terms": _accept_terms,
    "upgrade_throughput": _upgrade,
    "ban": _ban,
    "reinstate": _reinstate,
    "remove_partner": _remove_partner,
    "delete_number": _delete,
    "add_number": _add,
    "payment_problem": _add_payment_problem,
    "payment_solved": _remove_payment_problem,
}
