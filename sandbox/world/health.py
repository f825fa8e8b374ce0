"""`health_status`: for each entity whether it can send messages, and if not, why.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
WABA, BUSINESS and APP are always there, PHONE_NUMBER and MESSAGE_TEMPLATE only in the health of one. A problem of an
account affects all its numbers, and a problem of a business all its accounts.
"""

from collections.abc import Mapping
from typing import Any

from sandbox.world.accounts import Business, Template, Waba
from sandbox.world.number import LOCKED, SimNumber
from sandbox.world.world import World

SEVERITY = ("AVAILABLE", "LIMITED", "BLOCKED")
PAYMENT, UNVERIFIED = 141006, 141010
# error code -> (entity, verdict, description, solution). The codes are from field reports; the texts are ours.
PROBLEMS: Mapping[int, tuple[str, str, str, str]] = {
    PAYMENT: ("WABA", "BLOCKED", "There is an error with the payment method.", "Add a valid payment method."),
    UNVERIFIED: ("BUSINESS", "LIMITED", "The business is not verified.", "Verify the business."),
    LOCKED: ("WABA", "BLOCKED", "The account is locked.", "Ask for a review in WhatsApp Manager."),
    # For calls over SIP only: the overall value is BLOCKED although messages are sent.
    138024: ("PHONE_NUMBER", "AVAILABLE", "Calling over SIP is not set up.", "Set up SIP, or do not call."),
    138025: ("PHONE_NUMBER", "AVAILABLE", "Calling over SIP is not allowed.", "Ask for calling, or do not call."),
}
CALLS_ONLY = (138024, 138025)
UNKNOWN = ("PHONE_NUMBER", "BLOCKED", "Messages cannot be sent.", "Ask support.")
# The error code of a message while health shows BLOCKED: 131042 for payment, 131031 for a locked account. For other
# problems no page gives one, and sending gets the unknown error.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
STOPS: Mapping[int, int] = {PAYMENT: 131042, LOCKED: 131031}


def entity_of(code: int) -> str:
    """The entity that has this problem: PHONE_NUMBER, WABA or BUSINESS."""
    return PROBLEMS.get(code, UNKNOWN)[0]


def _holder(world: World, number: SimNumber, code: int) -> SimNumber | Waba | Business:
    waba = world.wabas[number.waba_id]
    match entity_of(code):
        case "WABA":
            return waba
        case "BUSINESS":
            return world.businesses[waba.business_id]
        case _:
            return number


def add_problem(world: World, number: SimNumber, code: int) -> None:
    """Gives the problem to the number or, depending on the code, to its account or its business."""
    _holder(world, number, code).health_problem = code


def remove_problem(world: World, number: SimNumber, code: int) -> None:
    holder = _holder(world, number, code)
    if holder.health_problem == code:
        holder.health_problem = None


def problems(world: World, number: SimNumber) -> Mapping[int, str]:
    """Error code -> entity, of every problem that affects this number."""
    return _own(number) | _accounts_problems(world, world.wabas[number.waba_id])


def stops_messages(world: World, number: SimNumber) -> int | None:
    """The error code with which messages fail because of a problem; None when they are sent."""
    for problem in problems(world, number):
        if PROBLEMS.get(problem, UNKNOWN)[1] == "BLOCKED":
            return STOPS.get(problem, 131000)
    return None


def _own(number: SimNumber) -> dict[int, str]:
    return {} if number.health_problem is None else {number.health_problem: "PHONE_NUMBER"}


def _accounts_problems(world: World, waba: Waba) -> dict[int, str]:
    by_entity = {"WABA": waba.health_problem, "BUSINESS": world.businesses[waba.business_id].health_problem}
    return {code: entity for entity, code in by_entity.items() if code is not None}


def phone_health(world: World, number: SimNumber) -> dict[str, Any]:
    phone = _entity("PHONE_NUMBER", number.phone_number_id)
    entities = [phone, *_accounts(world, world.wabas[number.waba_id])]
    view = world.read_view(number)
    if view.platform != "CLOUD_API" or view.status != "CONNECTED":
        # No page says which error code health shows here; 133010 is the one that sending gets.
        error = _error(133010, "The number is not registered.", "Register the number.")
        _add_verdict(phone, "BLOCKED", error if world.switches.health_unregistered == 133010 else None)
    elif number.new_name_status == "DECLINED":
        phone["can_send_message"] = "LIMITED"
        phone["additional_info"] = ["Your display name has not been approved yet."]
    return _overall(_with_problems(entities, problems(world, number)))


def waba_health(world: World, waba: Waba) -> dict[str, Any]:
    return _overall(_with_problems(list(_accounts(world, waba)), _accounts_problems(world, waba)))


def template_health(world: World, waba: Waba, template: Template) -> dict[str, Any]:
    """Only an approved template can be sent."""
    own = _entity("MESSAGE_TEMPLATE", template.id)
    if template.status != "APPROVED":
        own["can_send_message"] = "BLOCKED"
    return _overall(_with_problems([own, *_accounts(world, waba)], _accounts_problems(world, waba)))


def _accounts(world: World, waba: Waba) -> list[dict[str, Any]]:
    owned = (app.id for app in world.apps.values() if app.business_id == waba.business_id)
    app = next(iter(waba.subscriptions), None) or next(owned, "0")
    return [_entity(kind, node) for kind, node in (("WABA", waba.id), ("BUSINESS", waba.business_id), ("APP", app))]


def _entity(kind: str, node: str) -> dict[str, Any]:
    return {"entity_type": kind, "id": node, "can_send_message": "AVAILABLE"}


def _with_problems(entities: list[dict[str, Any]], by_code: Mapping[int, str]) -> list[dict[str, Any]]:
    for code, kind in by_code.items():
        _, verdict, text, remedy = PROBLEMS.get(code, UNKNOWN)
        entity = next(entity for entity in entities if entity["entity_type"] == kind)
        if code in CALLS_ONLY:
            entity["can_receive_call_sip"] = "BLOCKED"
        _add_verdict(entity, verdict, _error(code, text, remedy))
    return entities


def _add_verdict(entity: dict[str, Any], verdict: str, error: dict[str, Any] | None) -> None:
    entity["can_send_message"] = max(entity["can_send_message"], verdict, key=SEVERITY.index)
    if error is not None:
        entity.setdefault("errors", []).append(error)


def _overall(entities: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst verdict of all entities, that about calls included."""
    names = ("can_send_message", "can_receive_call_sip")
    verdicts = [entity[name] for entity in entities for name in names if name in entity]
    return {"can_send_message": max(verdicts, key=SEVERITY.index), "entities": entities}


def _error(code: int, text: str, remedy: str) -> dict[str, Any]:
    return {"error_code": code, "error_description": text, "possible_solution": remedy}
