"""The fields of a number and of a WABA that `fields=` can name.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sandbox.graph.field_tree import RequestedField, Shape, Tree, nonexistent, parse, plain_fields, select
from sandbox.world.accounts import App, Waba
from sandbox.world.health import UNVERIFIED, phone_health, problems, waba_health
from sandbox.world.number import SimNumber, certificate
from sandbox.world.world import World

# The countries of the sandbox's numbers; all have two digits.
# fmt: off
COUNTRIES: Mapping[str, str] = {
    "55": "BR", "49": "DE", "44": "GB", "91": "IN", "52": "MX", "34": "ES", "65": "SG", "33": "FR"
}
# fmt: on


# -- phone numbers

PhoneField = Callable[[World, SimNumber], Any]


def _throughput(world: World, number: SimNumber) -> dict[str, str]:
    return {"level": number.throughput if world.read_view(number).platform == "CLOUD_API" else "NOT_APPLICABLE"}


def _tier(world: World, number: SimNumber) -> str:
    """An unverified business has the lowest tier; high throughput has no limit, as its webhook says.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/messaging-limits
    """
    if UNVERIFIED in problems(world, number):
        return "TIER_250"
    return "TIER_UNLIMITED" if number.throughput == "HIGH" else "TIER_10K"


def _display(world: World, number: SimNumber) -> str:
    digits = number.digits
    return f"+{digits[:2]} {digits[2:5]} {digits[5:]}"


def _status(world: World, number: SimNumber) -> str:
    """A number may be flagged, limited or restricted instead of connected, or may have left for another WABA."""
    status = world.read_view(number).status
    return number.flagged if number.flagged is not None and status in ("CONNECTED", "DISCONNECTED") else status


def _webhooks(world: World, number: SimNumber) -> dict[str, str]:
    """The addresses of the business's first app."""
    owner = world.wabas[number.waba_id].business_id
    return webhooks_of(next(app for app in world.apps.values() if app.business_id == owner), world, number)


def webhooks_of(app: App, world: World, number: SimNumber) -> dict[str, str]:
    """The addresses of one app at each level; those of other apps are not shown."""
    subscription = world.wabas[number.waba_id].subscriptions.get(app.id)
    levels = {
        "application": app.callback_url,
        "whatsapp_business_account": subscription.override if subscription is not None else None,
        "phone_number": number.webhooks.get(app.id),
    }
    return {level: url for level, url in levels.items() if url is not None}


def shown_profile(profile: Mapping[str, Any]) -> dict[str, Any]:
    """A profile as Graph reads it: an industry that was never chosen is `UNDEFINED`, all else is left out."""
    return {"vertical": "UNDEFINED"} | {name: value for name, value in profile.items() if value}


def graph_time(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S+0000") if at is not None else None


PHONE: Mapping[str, PhoneField] = {
    "id": lambda _, number: number.phone_number_id,
    "display_phone_number": _display,
    "verified_name": lambda _, number: number.name,
    "status": _status,
    "platform_type": lambda world, number: world.read_view(number).platform,
    "host_platform": lambda world, number: world.read_view(number).platform,
    "code_verification_status": lambda world, number: world.read_view(number).code_status,
    "is_pin_enabled": lambda world, number: world.read_view(number).has_pin,
    "is_on_biz_app": lambda _, number: number.on_business_app,
    "is_official_business_account": lambda _, number: number.official,
    "is_preverified_number": lambda _, number: False,
    "quality_rating": lambda _, number: number.quality,
    "quality_score": lambda _, number: {"score": number.quality},
    "name_status": lambda _, number: number.name_status,
    "new_display_name": lambda _, number: number.new_name,
    "new_name_status": lambda _, number: number.new_name_status,
    "account_mode": lambda _, number: "LIVE",
    "throughput": _throughput,
    "messaging_limit_tier": _tier,
    "whatsapp_business_manager_messaging_limit": _tier,
    "last_onboarded_time": lambda _, number: graph_time(number.onboarded_at),
    "health_status": phone_health,
    "webhook_configuration": _webhooks,
    "certificate": lambda _, number: certificate(number),
    "new_certificate": lambda _, number: None,
    "search_visibility": lambda _, number: "NON_VISIBLE",
    "country_dial_code": lambda _, number: number.digits[:2],
    "country_code": lambda _, number: COUNTRIES.get(number.digits[:2]),
    "conversational_automation": lambda _, number: None,
    "eligibility_for_api_business_global_search": lambda _, number: "NON_ELIGIBLE_UNDEFINED_COUNTRY",
    "whatsapp_business_profile": lambda _, number: shown_profile(number.profile),
}
PHONE_DEFAULTS = ("verified_name", "code_verification_status", "display_phone_number", "quality_rating", "id")


# The names inside a field; a field that is not here has none.
HEALTH: Shape = {
    "can_send_message": None,
    "entities": {
        **dict.fromkeys(("entity_type", "id", "can_send_message", "can_receive_call_sip", "additional_info")),
        "errors": dict.fromkeys(("error_code", "error_description", "possible_solution")),
    },
}
PROFILE_FIELDS = ("about", "address", "description", "email", "profile_picture_url", "websites", "vertical")
INSIDE_PHONE: Shape = {
    "throughput": {"level": None},
    "quality_score": dict.fromkeys(("score", "date", "reasons")),
    "health_status": HEALTH,
    "webhook_configuration": dict.fromkeys(("phone_number", "whatsapp_business_account", "application")),
    "conversational_automation": dict.fromkeys(("enable_welcome_message", "prompts", "commands")),
    "whatsapp_business_profile": dict.fromkeys((*PROFILE_FIELDS, "id", "messaging_product")),
}


def render_phone(world: World, number: SimNumber, tree: Tree | None, app: App) -> dict[str, Any]:
    """The requested fields, for the app that calls. Raises Refusal for a field that does not exist, at any depth."""
    fields: dict[str, Any] = {}
    for name, requested in (plain_fields(*PHONE_DEFAULTS) if tree is None else tree).items():
        read = PHONE.get(name)
        if read is None:
            raise nonexistent(name)
        value = webhooks_of(app, world, number) if name == "webhook_configuration" else read(world, number)
        value = select(value, requested.inner, INSIDE_PHONE.get(name))
        if value is not None:
            fields[name] = value
    return fields | {"id": number.phone_number_id}


# -- WABAs

WabaField = Callable[[World, Waba], Any]


def _verification(world: World, waba: Waba) -> str:
    return "not_verified" if world.businesses[waba.business_id].health_problem == UNVERIFIED else "verified"


WABA: Mapping[str, WabaField] = {
    "id": lambda _, waba: waba.id,
    "name": lambda _, waba: waba.name,
    "timezone_id": lambda _, waba: "1",
    "message_template_namespace": lambda _, waba: f"ns_{waba.id}",
    "currency": lambda _, waba: "USD",
    "country": lambda _, waba: "US",
    "status": lambda _, waba: "ACTIVE",
    "account_review_status": lambda _, waba: "APPROVED",
    "business_verification_status": _verification,
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


INSIDE_WABA: Shape = {
    "owner_business_info": {"id": None, "name": None},
    "on_behalf_of_business_info": dict.fromkeys(("id", "name", "status", "type")),
    "health_status": HEALTH,
}
# An edge that is read as a field: returns its rows and their paging.
Expand = Callable[[RequestedField], Any]


def render_waba(world: World, waba: Waba, query: Any, edges: Mapping[str, Expand]) -> dict[str, Any]:
    """The requested fields. Raises Refusal for a field that does not exist, at any depth."""
    fields: dict[str, Any] = {}
    for name, requested in (parse(query) if query else plain_fields(*WABA_DEFAULTS)).items():
        if name in edges:
            fields[name] = edges[name](requested)
            continue
        read = WABA.get(name)
        if read is None:
            raise nonexistent(name)
        value = select(read(world, waba), requested.inner, INSIDE_WABA.get(name))
        if value is not None:
            fields[name] = value
    return fields | {"id": waba.id}


SUBSCRIPTION: Shape = {
    "whatsapp_business_api_data": dict.fromkeys(("id", "link", "name")),
    "override_callback_uri": None,
}


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
