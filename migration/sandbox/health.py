"""`health_status`: who may send, entity by entity, and why not.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
WABA, BUSINESS and APP are always there, PHONE_NUMBER only where the number is asked about.
"""

from collections.abc import Mapping
from typing import Any

from migration.sandbox.accounts import Waba
from migration.sandbox.number import SimNumber
from migration.sandbox.world import World

SEVERITY = ("AVAILABLE", "LIMITED", "BLOCKED")
# code -> (entity, verdict, what is wrong, what helps). The codes are from field reports; the words are ours.
PROBLEMS: Mapping[int, tuple[str, str, str, str]] = {
    141006: ("WABA", "BLOCKED", "There is an error with the payment method.", "Add a valid payment method."),
    141010: ("BUSINESS", "LIMITED", "The business is not verified.", "Verify the business."),
    131031: ("WABA", "BLOCKED", "The account is locked.", "Ask for a review in WhatsApp Manager."),
    # Calls over SIP only: the overall value is BLOCKED although messages go out.
    138024: ("PHONE_NUMBER", "AVAILABLE", "Calling over SIP is not set up.", "Set up SIP, or do not call."),
    138025: ("PHONE_NUMBER", "AVAILABLE", "Calling over SIP is not allowed.", "Ask for calling, or do not call."),
}
CALLS_ONLY = (138024, 138025)
UNKNOWN = ("WABA", "BLOCKED", "Messages cannot be sent.", "Ask support.")
# What sending meets where health shows BLOCKED: 131042 for payment, 131031 for a locked account. For a problem that
# no page explains there is only the unknown error.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
STOPS: Mapping[int, int] = {141006: 131042, 131031: 131031}


def stops_messages(number: SimNumber) -> int | None:
    """The code with which a message fails because of what health shows; None where messages go out."""
    problem = number.health_problem
    if problem is None or PROBLEMS.get(problem, UNKNOWN)[1] != "BLOCKED":
        return None
    return STOPS.get(problem, 131000)


def phone_health(world: World, number: SimNumber) -> dict[str, Any]:
    phone = _entity("PHONE_NUMBER", number.phone_number_id)
    entities = [phone, *_accounts(world, world.wabas[number.waba_id])]
    shown = world.shown(number)
    if shown.platform != "CLOUD_API" or shown.status != "CONNECTED":
        # Which code health shows here is in no stored page; 133010 is the one that sending gets.
        error = _error(133010, "The number is not registered.", "Register the number.")
        _blame(phone, "BLOCKED", error if world.switches.health_unregistered == 133010 else None)
    elif number.new_name_status == "DECLINED":
        phone["can_send_message"] = "LIMITED"
        phone["additional_info"] = ["Your display name has not been approved yet."]
    if number.health_problem is not None:
        _mark(entities, number.health_problem)
    return _overall(entities)


def waba_health(world: World, waba: Waba) -> dict[str, Any]:
    """A number's payment problem is its WABA's."""
    entities = list(_accounts(world, waba))
    for one in waba.phone_number_ids:
        problem = world.by_id[one].health_problem
        if problem is not None and PROBLEMS.get(problem, UNKNOWN)[0] != "PHONE_NUMBER":
            _mark(entities, problem)
            break
    return _overall(entities)


def _accounts(world: World, waba: Waba) -> list[dict[str, Any]]:
    owned = (app.id for app in world.apps.values() if app.business_id == waba.business_id)
    app = next(iter(waba.subscriptions), None) or next(owned, "0")
    return [_entity(kind, one) for kind, one in (("WABA", waba.id), ("BUSINESS", waba.business_id), ("APP", app))]


def _entity(kind: str, node: str) -> dict[str, Any]:
    return {"entity_type": kind, "id": node, "can_send_message": "AVAILABLE"}


def _mark(entities: list[dict[str, Any]], code: int) -> None:
    kind, verdict, text, remedy = PROBLEMS.get(code, UNKNOWN)
    entity = next(one for one in entities if one["entity_type"] == kind)
    if code in CALLS_ONLY:
        entity["can_receive_call_sip"] = "BLOCKED"
    _blame(entity, verdict, _error(code, text, remedy))


def _blame(entity: dict[str, Any], verdict: str, error: dict[str, Any] | None) -> None:
    entity["can_send_message"] = max(entity["can_send_message"], verdict, key=SEVERITY.index)
    if error is not None:
        entity.setdefault("errors", []).append(error)


def _overall(entities: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst of all, calls included."""
    verdicts = [one[name] for one in entities for name in ("can_send_message", "can_receive_call_sip") if name in one]
    return {"can_send_message": max(verdicts, key=SEVERITY.index), "entities": entities}


def _error(code: int, text: str, remedy: str) -> dict[str, Any]:
    return {"error_code": code, "error_description": text, "possible_solution": remedy}
