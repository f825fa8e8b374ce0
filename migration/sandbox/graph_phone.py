"""Graph calls on one phone number."""

from collections.abc import Mapping
from typing import Any

from migration.sandbox import graph_fields as fields
from migration.sandbox import messaging, naming, registering, verifying
from migration.sandbox.accounts import SCOPES
from migration.sandbox.errors import Refusal
from migration.sandbox.graph_access import Ask, Entry, callback_url, success, verified
from migration.sandbox.number import SimNumber
from migration.sandbox.register_checks import REGIONS
from migration.sandbox.wire import Answer, answer_json
from migration.sandbox.world import World

MANAGE, MESSAGING = SCOPES
PROFILE_FIELDS = ("about", "address", "description", "email", "profile_picture_url", "websites", "vertical")
# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-profiles
LONGEST: Mapping[str, int] = {"about": 139, "address": 256, "description": 512, "email": 128}
MOST_WEBSITES = 2
# fmt: off
VERTICALS = frozenset({
    "ALCOHOL", "APPAREL", "AUTO", "BEAUTY", "EDU", "ENTERTAIN", "EVENT_PLAN", "FINANCE", "GOVT", "GROCERY",
    "HEALTH", "HOTEL", "NONPROFIT", "ONLINE_GAMBLING", "OTC_DRUGS", "OTHER", "PHYSICAL_GAMBLING",
    "PROF_SERVICES", "RESTAURANT", "RETAIL", "TRAVEL", "UNDEFINED"
})
# fmt: on


def _number(ask: Ask, *scopes: str) -> SimNumber:
    return ask.phone(ask.authorize(*scopes), ask.path[0])


def _read(ask: Ask) -> Answer:
    number = _number(ask, MANAGE)
    if number.deleted:
        raise Refusal(33)
    return answer_json(fields.render_phone(ask.world, number, ask.params.get("fields")))


def _change_name(ask: Ask) -> str:
    if "webhook_configuration" in ask.params:
        return "set_webhook"
    return "set_name" if "new_display_name" in ask.params else "set_pin"


def _change(ask: Ask) -> Answer:
    """The PIN, a new display name, or the number's own callback URL."""
    number = _number(ask, MANAGE)
    if "webhook_configuration" in ask.params:
        return _set_webhook(ask, number, ask.params["webhook_configuration"])
    if "new_display_name" in ask.params:
        naming.ask_for(ask.world, number, ask.params["new_display_name"])
    elif "pin" in ask.params:
        verifying.set_pin(ask.world, number, ask.params["pin"])
    else:
        raise Refusal(100, "Param pin is required.")
    return success(ask.world)


def _set_webhook(ask: Ask, number: SimNumber, override: Any) -> Answer:
    """An empty address removes it: .../whatsapp/webhooks/override"""
    given = override.get("override_callback_uri") if isinstance(override, Mapping) else None
    if not given:
        number.webhook = {}
        return success(ask.world)
    url, app_id = callback_url(given), ask.authorize().app_id

    def change() -> Answer:
        number.webhook = {"override_callback_uri": url, "app_id": app_id}
        return success(ask.world)

    assert isinstance(override, Mapping)
    return verified(ask, url, override.get("verify_token"), change)


def _register(ask: Ask) -> Answer:
    number = _number(ask, MANAGE, MESSAGING)
    return success(ask.world, registering.register(ask.world, number, ask.params))


def _deregister(ask: Ask) -> Answer:
    registering.deregister(ask.world, _number(ask, MANAGE))
    return success(ask.world)


def _request_code(ask: Ask) -> Answer:
    params = ask.params
    verifying.request_code(ask.world, _number(ask, MANAGE), params.get("code_method"), params.get("language"))
    return success(ask.world)


def _verify_code(ask: Ask) -> Answer:
    verifying.verify_code(ask.world, _number(ask, MANAGE), ask.params.get("code"))
    return success(ask.world)


def _messages(ask: Ask) -> Answer:
    number = _number(ask, MESSAGING)
    if ask.params.get("status") == "read":
        return success(ask.world)
    return answer_json(messaging.send(ask.world, number, ask.params), effect=True)


# -- settings and local storage


def _settings(ask: Ask) -> Answer:
    number = _number(ask, MANAGE)
    storage: dict[str, Any] = {"status": number.storage.status}
    if number.storage.region is not None:
        storage["data_localization_region"] = number.storage.region
    return answer_json(
        {
            "calling": {"status": "DISABLED"},
            "storage_configuration": storage,
            "payload_encryption": {"status": "DISABLED"},
            "user_identity_change": {"enable_identity_key_check": number.identity_check},
            "id": number.phone_number_id,
        }
    )


def _set_settings(ask: Ask) -> Answer:
    number = _number(ask, MANAGE)
    storage = ask.params.get("storage_configuration")
    identity = ask.params.get("user_identity_change")
    if not isinstance(storage, Mapping) and not isinstance(identity, Mapping):
        raise Refusal(100, "No known setting is in the body.")
    if isinstance(identity, Mapping):
        number.identity_check = bool(identity.get("enable_identity_key_check"))
    if isinstance(storage, Mapping):
        _store(ask.world, number, storage)
    return success(ask.world)


def _store(world: World, number: SimNumber, storage: Mapping[str, Any]) -> None:
    """Settable only while the number is not registered on Cloud (from v21.0 on). Raises Refusal.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/local-storage
    """
    if number.platform == "CLOUD_API":
        raise Refusal(100, "Local storage cannot be changed while the number is registered.")
    if number.side == "on_premises" and world.switches.storage_while_on_premises == "refused":
        raise Refusal(100, "Local storage cannot be changed while the number is on On-Premises API.")
    match storage.get("status"):
        case "IN_COUNTRY_STORAGE_ENABLED":
            region = storage.get("data_localization_region")
            if not isinstance(region, str) or region not in REGIONS:
                raise Refusal(100, "Param data_localization_region is not a supported region.")
            number.storage.status, number.storage.region = "IN_COUNTRY_STORAGE_ENABLED", str(region)
        case "IN_COUNTRY_STORAGE_DISABLED" | "DEFAULT":
            number.storage.status, number.storage.region = "DEFAULT", None
        case other:
            raise Refusal(100, f"{other!r} is not a storage status.")


# -- business profile


def _profile(ask: Ask) -> Answer:
    number = _number(ask, MESSAGING)
    wanted = fields.parse(ask.params["fields"]) if ask.params.get("fields") else {"about": {}}
    for name in wanted:
        if name not in (*PROFILE_FIELDS, "id", "messaging_product"):
            raise fields.nonexistent(name)
    known = {name: number.profile[name] for name in wanted if number.profile.get(name)}
    return answer_json({"data": [known | {"messaging_product": "whatsapp"}]})


def _set_profile(ask: Ask) -> Answer:
    number, params = _number(ask, MESSAGING), ask.params
    if params.get("messaging_product") != "whatsapp":
        raise Refusal(100, "The parameter messaging_product is required.")
    _fits(params)
    handle = params.get("profile_picture_handle")
    if handle and str(handle) not in ask.world.uploads.handles:
        raise Refusal(100, "Param profile_picture_handle is not the handle of an upload.")
    for name in PROFILE_FIELDS:
        if name in params and name != "profile_picture_url":
            number.profile[name] = params[name]
    if handle:
        number.profile["profile_picture_url"] = f"https://pps.example/{number.phone_number_id}.jpg"
    return success(ask.world)


def _fits(params: Mapping[str, Any]) -> None:
    for name, longest in LONGEST.items():
        if len(str(params.get(name, ""))) > longest:
            raise Refusal(100, f"Param {name} must be at most {longest} characters.")
    if "about" in params and not params["about"]:
        raise Refusal(100, "Param about must not be empty.")
    websites = params.get("websites") or []
    if not isinstance(websites, list) or len(websites) > MOST_WEBSITES:
        raise Refusal(100, f"Param websites must be a list of at most {MOST_WEBSITES}.")
    if any(not str(site).startswith(("http://", "https://")) for site in websites):
        raise Refusal(100, "Param websites must be URLs with a scheme.")
    if params.get("vertical") and str(params["vertical"]) not in VERTICALS:
        raise Refusal(100, "Param vertical is not one of the known values.")


PHONE_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.number", False, _read),
    ("POST", ""): (_change_name, True, _change),
    ("POST", "register"): ("register", True, _register),
    ("POST", "deregister"): ("deregister", True, _deregister),
    ("POST", "request_code"): ("request_code", True, _request_code),
    ("POST", "verify_code"): ("verify_code", True, _verify_code),
    ("POST", "messages"): ("messages", True, _messages),
    ("GET", "settings"): ("get.settings", False, _settings),
    ("POST", "settings"): ("set_storage", True, _set_settings),
    ("GET", "whatsapp_business_profile"): ("get.profile", False, _profile),
    ("POST", "whatsapp_business_profile"): ("profile", True, _set_profile),
}
