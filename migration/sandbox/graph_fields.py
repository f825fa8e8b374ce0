"""`fields=`: what can be read of a number and of a WABA, by name.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from migration.sandbox.accounts import Waba
from migration.sandbox.errors import Refusal
from migration.sandbox.number import SimNumber, certificate
from migration.sandbox.world import World

# What `can_send_message` problems look like; 141006 is a payment method, 141010 business verification.
PROBLEMS: Mapping[int, tuple[str, str, str]] = {
    141006: ("BLOCKED", "There is an error with the payment method.", "Add a valid payment method."),
    141010: ("LIMITED", "The business is not verified.", "Verify the business."),
}


def parse(fields: Any) -> dict[str, dict[str, Any]]:
    """`a,b{c,d}` as a tree. Modifiers such as `.limit(5)` are dropped."""
    tree, _ = _parse(str(fields), 0)
    return tree


def _parse(text: str, at: int) -> tuple[dict[str, dict[str, Any]], int]:
    tree: dict[str, dict[str, Any]] = {}
    name = ""
    while at < len(text) and text[at] != "}":
        if text[at] == "{":
            tree[_bare(name)], at = _parse(text, at + 1)
            name = ""
        elif text[at] == ",":
            if name.strip():
                tree.setdefault(_bare(name), {})
            name = ""
        else:
            name += text[at]
        at += 1
    if name.strip():
        tree.setdefault(_bare(name), {})
    return tree, at


def _bare(name: str) -> str:
    return name.strip().partition(".")[0]


def nonexistent(name: str) -> Refusal:
    return Refusal(100, message=f"(#100) Tried accessing nonexisting field ({name})")


# -- phone numbers

PhoneField = Callable[[World, SimNumber], Any]


def _throughput(world: World, number: SimNumber) -> dict[str, str]:
    return {"level": number.throughput if world.shown(number).platform == "CLOUD_API" else "NOT_APPLICABLE"}


def _display(world: World, number: SimNumber) -> str:
    digits = number.digits
    return f"+{digits[:2]} {digits[2:5]} {digits[5:]}"


def _webhooks(world: World, number: SimNumber) -> dict[str, str]:
    waba = world.wabas[number.waba_id]
    found: dict[str, str] = {}
    for app in world.apps.values():
        if app.business_id == waba.business_id and app.callback_url is not None:
            found["application"] = app.callback_url
    for subscription in waba.subscriptions.values():
        if subscription.override is not None:
            found["whatsapp_business_account"] = subscription.override
    if number.webhook:
        found["phone_number"] = number.webhook["override_callback_uri"]
    return found


def moment(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000") if at is not None else None


def _health(world: World, number: SimNumber) -> dict[str, Any]:
    return phone_health(world, number)


PHONE: Mapping[str, PhoneField] = {
    "id": lambda _, number: number.phone_number_id,
    "display_phone_number": _display,
    "verified_name": lambda _, number: number.name,
    "status": lambda world, number: world.shown(number).status,
    "platform_type": lambda world, number: world.shown(number).platform,
    "host_platform": lambda world, number: world.shown(number).platform,
    "code_verification_status": lambda world, number: world.shown(number).code_status,
    "is_pin_enabled": lambda world, number: world.shown(number).has_pin,
    "is_on_biz_app": lambda _, number: number.on_business_app,
    "is_official_business_account": lambda _, number: number.official,
    "is_preverified_number": lambda _, number: False,
    "quality_rating": lambda _, number: number.quality,
    "quality_score": lambda _, number: {"score": number.quality},
    "name_status": lambda _, number: "APPROVED",
    "new_display_name": lambda _, number: number.new_name,
    "new_name_status": lambda _, number: number.new_name_status,
    "account_mode": lambda _, number: "LIVE",
    "throughput": _throughput,
    "messaging_limit_tier": lambda _, number: "TIER_10K",
    "whatsapp_business_manager_messaging_limit": lambda _, number: "TIER_10K",
    "last_onboarded_time": lambda _, number: moment(number.onboarded_at),
    "health_status": _health,
    "webhook_configuration": _webhooks,
    "certificate": lambda _, number: certificate(number),
    "new_certificate": lambda _, number: None,
    "search_visibility": lambda _, number: "NON_VISIBLE",
    "country_dial_code": lambda _, number: number.digits[:2],
    "whatsapp_business_profile": lambda _, number: dict(number.profile),
}
PHONE_DEFAULTS = ("verified_name", "code_verification_status", "display_phone_number", "quality_rating", "id")


def render_phone(world: World, number: SimNumber, fields: Any = None) -> dict[str, Any]:
    """Raises Refusal for a field that does not exist."""
    wanted = parse(fields) if fields else {one: {} for one in PHONE_DEFAULTS}
    found: dict[str, Any] = {}
    for name, inner in wanted.items():
        make = PHONE.get(name)
        if make is None:
            raise nonexistent(name)
        value = make(world, number)
        if value is not None:
            found[name] = _only(value, inner)
    return found | {"id": number.phone_number_id}


def _only(value: Any, inner: Mapping[str, Any]) -> Any:
    if inner and isinstance(value, dict):
        return {name: value[name] for name in inner if name in value}
    return value


# -- WABAs

WabaField = Callable[[World, Waba], Any]

WABA: Mapping[str, WabaField] = {
    "id": lambda _, waba: waba.id,
    "name": lambda _, waba: waba.name,
    "timezone_id": lambda _, waba: "1",
    "message_template_namespace": lambda _, waba: f"ns_{waba.id}",
    "currency": lambda _, waba: "USD",
    "country": lambda _, waba: "US",
    "status": lambda _, waba: "ACTIVE",
    "account_review_status": lambda _, waba: "APPROVED",
    "business_verification_status": lambda _, waba: "verified",
    "ownership_type": lambda _, waba: "SELF",
    "owner_business_info": lambda _, waba: {"id": waba.business_id, "name": "Partner"},
    "health_status": lambda world, waba: {
        "can_send_message": "AVAILABLE",
        "entities": _accounts(waba, world),
    },
    "subscribed_apps": lambda world, waba: {"data": subscribed(world, waba)},
}
WABA_DEFAULTS = ("id", "name", "currency", "timezone_id", "message_template_namespace")


def render_waba(world: World, waba: Waba, fields: Any = None) -> dict[str, Any]:
    """Raises Refusal for a field that does not exist."""
    found: dict[str, Any] = {}
    for name, inner in (parse(fields) if fields else {one: {} for one in WABA_DEFAULTS}).items():
        if name == "phone_numbers":
            numbers = [world.by_phone_id(one) for one in waba.phone_number_ids[:25]]
            wanted = ",".join(inner) or None
            found[name] = {"data": [render_phone(world, number, wanted) for number in numbers]}
            continue
        make = WABA.get(name)
        if make is None:
            raise nonexistent(name)
        found[name] = _only(make(world, waba), inner)
    return found | {"id": waba.id}


def subscribed(world: World, waba: Waba) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for subscription in waba.subscriptions.values():
        app = world.apps[subscription.app_id]
        row: dict[str, Any] = {
            "whatsapp_business_api_data": {
                "id": app.id,
                "link": f"https://www.facebook.com/games/?app_id={app.id}",
                "name": app.name,
            }
        }
        if subscription.override is not None:
            row["override_callback_uri"] = subscription.override
        rows.append(row)
    return rows


# -- health


def _accounts(waba: Waba, world: World) -> list[dict[str, Any]]:
    app = next(iter(waba.subscriptions), None) or next(iter(world.apps))
    kinds = (("WABA", waba.id), ("BUSINESS", waba.business_id), ("APP", app))
    return [{"entity_type": kind, "id": one, "can_send_message": "AVAILABLE"} for kind, one in kinds]


def phone_health(world: World, number: SimNumber) -> dict[str, Any]:
    """By entity; the overall value is the worst of them."""
    phone: dict[str, Any] = {
        "entity_type": "PHONE_NUMBER",
        "id": number.phone_number_id,
        "can_send_message": "AVAILABLE",
    }
    entities = [phone, *_accounts(world.wabas[number.waba_id], world)]
    if world.shown(number).platform != "CLOUD_API" or world.shown(number).status != "CONNECTED":
        phone["can_send_message"] = "BLOCKED"
        # Which code health shows here is in no stored page; this is the one that sending gets.
        phone["errors"] = [_problem(133010, "The number is not registered.", "Register the number.")]
    if number.health_problem is not None:
        verdict, text, remedy = PROBLEMS.get(number.health_problem, ("BLOCKED", "Unknown.", "Ask support."))
        entities[1]["can_send_message"] = verdict
        entities[1]["errors"] = [_problem(number.health_problem, text, remedy)]
    worst = max((entity["can_send_message"] for entity in entities), key=_SEVERITY.index)
    return {"can_send_message": worst, "entities": entities}


_SEVERITY = ["AVAILABLE", "LIMITED", "BLOCKED"]


def _problem(code: int, text: str, remedy: str) -> dict[str, Any]:
    return {"error_code": code, "error_description": text, "possible_solution": remedy}
