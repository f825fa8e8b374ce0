"""`fields=`: what can be read of a number and of a WABA, by name.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from migration.sandbox.accounts import Waba
from migration.sandbox.errors import Refusal
from migration.sandbox.health import phone_health, waba_health
from migration.sandbox.number import SimNumber, certificate
from migration.sandbox.world import World

# The countries of the sandbox's numbers; all have two digits.
# fmt: off
COUNTRIES: Mapping[str, str] = {
    "55": "BR", "49": "DE", "44": "GB", "91": "IN", "52": "MX", "34": "ES", "65": "SG", "33": "FR"
}
# fmt: on


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
    "health_status": phone_health,
    "webhook_configuration": _webhooks,
    "certificate": lambda _, number: certificate(number),
    "new_certificate": lambda _, number: None,
    "search_visibility": lambda _, number: "NON_VISIBLE",
    "country_dial_code": lambda _, number: number.digits[:2],
    "country_code": lambda _, number: COUNTRIES.get(number.digits[:2]),
    "conversational_automation": lambda _, number: None,
    "eligibility_for_api_business_global_search": lambda _, number: "NON_ELIGIBLE_UNDEFINED_COUNTRY",
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
    "owner_business_info": lambda world, waba: {
        "id": waba.business_id,
        "name": world.businesses[waba.business_id].name,
    },
    "on_behalf_of_business_info": lambda _, waba: None,
    "primary_business_location": lambda _, waba: None,
    "is_enabled_for_insights": lambda _, waba: False,
    "disable_marketing_messages_on_cloud_api": lambda _, waba: False,
    "marketing_messages_lite_api_status": lambda _, waba: None,
    "marketing_messages_onboarding_status": lambda _, waba: None,
    "health_status": waba_health,
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
        value = make(world, waba)
        if value is not None:
            found[name] = _only(value, inner)
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
