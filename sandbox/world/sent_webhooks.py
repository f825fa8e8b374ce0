"""Any webhook of Meta on request, as Meta's pages show it: for a receiver that has to take every kind.

Nothing changes in the world: only the webhook is sent, signed, to the addresses that its field goes to.
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.errors import ControlError
from sandbox.world import account_events, message_events
from sandbox.world.number import SimNumber
from sandbox.world.webhook_addresses import put
from sandbox.world.world import World

Value = dict[str, Any]
CONSUMER = "15005550006"
MESSAGE_EVENTS = ("message", "sent", "delivered", "read", "failed", "error")
# What an event of `account_update` has besides its name.
DETAILS: Mapping[str, Value] = {
    "DISABLED_UPDATE": {"ban_info": {"waba_ban_state": "DISABLE", "waba_ban_date": "November 27, 2026"}},
    "ACCOUNT_VIOLATION": {"violation_info": {"violation_type": "SCAM"}},
    "ACCOUNT_RESTRICTION": {
        "restriction_info": [{"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING", "expiration": 1_798_761_600}]
    },
    "ACCOUNT_OFFBOARDED": {"disconnection_info": {"reason": "USER_REQUESTED", "initiated_by": "BUSINESS"}},
}


def send(world: World, number: SimNumber, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body`: `field`, `event` where the field has several, and `value` with what replaces parts of the sample.

    Returns the value that is sent. Raises ControlError.
    """
    field = str(body.get("field"))
    if field not in FIELDS:
        raise ControlError(400, f"field is one of {', '.join(FIELDS)}")
    events, build = FIELDS[field]
    event = str(body.get("event") or events[0])
    if event not in events:
        raise ControlError(400, f"event of {field} is one of {', '.join(events)}")
    replaced = body.get("value", {})
    if not isinstance(replaced, Mapping):
        raise ControlError(400, "value is an object with the parts that it replaces")
    value = build(world, number, event) | dict(replaced)
    about = f"sent:{number.notices}:{event}" if field == "messages" else None
    put(world, number, field, value, world.now(), about=about)
    number.notices += about is not None  # the next one has another id
    return {"field": field, "event": event, "value": value}


def _messages(world: World, number: SimNumber, event: str) -> Value:
    at, message_id = world.now(), f"wamid.{_opaque(world, number, event)}"
    value = message_events.metadata(number)
    if event == "error":
        return value | {"errors": [message_events.error(131031)]}
    if event == "message":
        return value | message_events.inbound(CONSUMER, message_id, "Hello", at)
    row: Value = {"id": message_id, "status": event, "timestamp": str(int(at.timestamp())), "recipient_id": CONSUMER}
    return value | {"statuses": [row | ({"errors": [message_events.error(131026)]} if event == "failed" else {})]}


def _opaque(world: World, number: SimNumber, event: str) -> str:
    seed = f"{world.seed}:{number.e164}:webhook:{number.notices}:{event}"
    return hashlib.sha256(seed.encode()).hexdigest()[:36].upper()


def _account(world: World, number: SimNumber, event: str) -> Value:
    waba = world.wabas[number.waba_id]
    info = {"waba_id": waba.id, "owner_business_id": waba.business_id}
    return {"event": event, "phone_number": number.digits, "waba_info": info, **DETAILS.get(event, {})}


def _alert(world: World, number: SimNumber, event: str) -> Value:
    return account_events.alert(number, event)


def _review(world: World, number: SimNumber, event: str) -> Value:
    return {"decision": event}


def _capability(world: World, number: SimNumber, event: str) -> Value:
    """It names no number: the limits are those of the business."""
    return {
        "max_daily_conversation_per_phone": 2000 if event == "RAISED" else 250,
        "max_daily_conversations_per_business": "TIER_2K" if event == "RAISED" else "TIER_250",
        "max_phone_numbers_per_business": 20 if event == "RAISED" else 2,
        "max_phone_numbers_per_waba": 20 if event == "RAISED" else 2,
    }


def _quality(world: World, number: SimNumber, event: str) -> Value:
    lower = event in ("FLAGGED", "DOWNGRADE")
    limits = {"old_limit": "TIER_10K", "current_limit": "TIER_1K"} if lower else {"current_limit": "TIER_10K"}
    value = {"display_phone_number": number.digits, "event": event, **limits}
    return value | {"max_daily_conversations_per_business": limits["current_limit"]}


def _name(world: World, number: SimNumber, event: str) -> Value:
    reason = "NAME_EMPLOYEE_ISSUE" if event == "REJECTED" else "NONE"
    value = {"display_phone_number": number.digits, "decision": event}
    return value | {"requested_verified_name": number.new_name or number.name, "rejection_reason": reason}


def _security(world: World, number: SimNumber, event: str) -> Value:
    requester = {"requester": "1"} if event == "PIN_RESET_REQUEST" else {}
    return {"display_phone_number": number.digits, "event": event, **requester}


def _template(world: World, number: SimNumber) -> Value:
    templates = world.wabas[number.waba_id].templates
    known = templates[0] if templates else None
    return {
        "message_template_id": int(known.id) if known is not None else 1,
        "message_template_name": known.name if known is not None else "gone",
        "message_template_language": known.language if known is not None else "en",
    }


def _template_status(world: World, number: SimNumber, event: str) -> Value:
    reason = {"REJECTED": "INVALID_FORMAT"}.get(event, "NONE")
    return {"event": event, **_template(world, number), "reason": reason}


def _template_quality(world: World, number: SimNumber, event: str) -> Value:
    return _template(world, number) | {"previous_quality_score": "GREEN", "new_quality_score": event}


def _template_category(world: World, number: SimNumber, event: str) -> Value:
    return _template(world, number) | {"previous_category": "UTILITY", "new_category": event}


def _template_parts(world: World, number: SimNumber, event: str) -> Value:
    return _template(world, number) | {"message_template_element": "Hello {{1}}"}


Build = Callable[[World, SimNumber, str], Value]
# Each field: its events, the first of which is sent where none is named, and what builds its value.
FIELDS: Mapping[str, tuple[tuple[str, ...], Build]] = {
    "messages": (MESSAGE_EVENTS, _messages),
    "account_update": (
        (
            "ACCOUNT_RESTRICTION",
            "ACCOUNT_VIOLATION",
            "ACCOUNT_DELETED",
            "ACCOUNT_OFFBOARDED",
            "ACCOUNT_RECONNECTED",
            "DISABLED_UPDATE",
            "PARTNER_ADDED",
            "PARTNER_APP_INSTALLED",
            "PARTNER_APP_UNINSTALLED",
            "PARTNER_REMOVED",
            "VERIFIED_ACCOUNT",
        ),
        _account,
    ),
    "account_alerts": (("PROFILE_PICTURE_LOST", "OBA_APPROVED", "INCREASED_CAPABILITIES_ELIGIBILITY_DEFERRED"), _alert),
    "account_review_update": (("APPROVED", "REJECTED", "PENDING", "DEFERRED"), _review),
    "business_capability_update": (("RAISED", "LOWERED"), _capability),
    "phone_number_quality_update": (
        ("FLAGGED", "UNFLAGGED", "UPGRADE", "DOWNGRADE", "ONBOARDING", "THROUGHPUT_UPGRADE"),
        _quality,
    ),
    "phone_number_name_update": (("APPROVED", "REJECTED", "DEFERRED", "PENDING"), _name),
    "security": (("PIN_CHANGED", "PIN_RESET_REQUEST", "PIN_REQUEST_SUCCESS"), _security),
    "message_template_status_update": (
        ("APPROVED", "REJECTED", "PENDING", "PAUSED", "DISABLED", "FLAGGED", "PENDING_DELETION", "IN_APPEAL"),
        _template_status,
    ),
    "message_template_quality_update": (("RED", "YELLOW", "GREEN", "UNKNOWN"), _template_quality),
    "message_template_components_update": (("CHANGED",), _template_parts),
    "template_category_update": (("MARKETING", "UTILITY", "AUTHENTICATION"), _template_category),
}
