"""Settings of one phone number on Graph: local storage and the identity check.

https://developers.facebook.com/documentation/business-messaging/whatsapp/local-storage
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal
from sandbox.graph.access import Entry, GraphCall, success
from sandbox.wire import Response, json_response
from sandbox.world.accounts import SCOPES
from sandbox.world.number import SimNumber, Storage
from sandbox.world.register_checks import REGIONS
from sandbox.world.world import World

MANAGE = SCOPES[0]
# What a number has on which calls were never set up: Meta's OpenAPI file requires each of these.
CALLS: Mapping[str, Any] = {
    "status": "DISABLED",
    "call_icon_visibility": "DEFAULT",
    "ip_addresses": {"default": []},
    "callback_permission_status": "DISABLED",
}
# The longest and shortest time for which "no storage" keeps a message; undocumented.
SHORTEST_MINUTES, LONGEST_MINUTES = 1, 60 * 24 * 30


def _settings(call: GraphCall) -> Response:
    number = call.number(MANAGE)
    storage: dict[str, Any] = {"status": number.storage.status}
    if number.storage.region is not None:
        storage["data_localization_region"] = number.storage.region
    if number.storage.retention_minutes is not None:
        storage["retention_minutes"] = number.storage.retention_minutes
    return json_response(
        {
            "calling": CALLS,
            "storage_configuration": storage,
            "payload_encryption": {"status": "DISABLED"},
            "user_identity_change": {"enable_identity_key_check": number.identity_check},
            "id": number.phone_number_id,
        }
    )


def _set_settings(call: GraphCall) -> Response:
    number = call.number(MANAGE)
    storage = call.params.get("storage_configuration")
    identity = call.params.get("user_identity_change")
    if not isinstance(storage, Mapping) and not isinstance(identity, Mapping):
        raise Refusal(100, "No known setting is in the body.")
    if isinstance(identity, Mapping):
        number.identity_check = _boolean(identity.get("enable_identity_key_check"))
    if isinstance(storage, Mapping):
        _set_storage(call.world, number, storage)
    return success(call.world)


def _boolean(value: Any) -> bool:
    """Also from a text, as forms have it. Raises Refusal."""
    known = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if known is None:
        raise Refusal(100, "Param enable_identity_key_check must be true or false.")
    return known


def _set_storage(world: World, number: SimNumber, storage: Mapping[str, Any]) -> None:
    """Local storage can be set only while the number is not registered on Cloud (from v21.0 on). Raises Refusal.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/local-storage
    """
    if number.platform == "CLOUD_API":
        raise Refusal(100, "Local storage cannot be changed while the number is registered.")
    if world.switches.storage_set_by == "register":
        raise Refusal(100, "Local storage is set with data_localization_region of register.")
    if number.side == "on_premises" and world.switches.storage_while_on_premises == "refused":
        raise Refusal(100, "Local storage cannot be changed while the number is on On-Premises API.")
    match storage.get("status"):
        case "IN_COUNTRY_STORAGE_ENABLED":
            region = storage.get("data_localization_region")
            if not isinstance(region, str) or region not in REGIONS:
                raise Refusal(100, "Param data_localization_region is not a supported region.")
            number.storage = Storage("IN_COUNTRY_STORAGE_ENABLED", region)
        case "NO_STORAGE_ENABLED":
            number.storage = Storage("NO_STORAGE_ENABLED", retention_minutes=_minutes(storage))
        case "IN_COUNTRY_STORAGE_DISABLED" | "NO_STORAGE_DISABLED" | "DEFAULT":
            number.storage = Storage()
        case other:
            raise Refusal(100, f"{other!r} is not a storage status.")


def _minutes(storage: Mapping[str, Any]) -> int:
    """`retention_minutes`, which exists since December 2025. Raises Refusal."""
    minutes = storage.get("retention_minutes")
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not SHORTEST_MINUTES <= minutes <= LONGEST_MINUTES:
        raise Refusal(100, f"Param retention_minutes must be from {SHORTEST_MINUTES} to {LONGEST_MINUTES}.")
    return minutes


SETTINGS_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", "settings"): ("get.settings", False, _settings),
    ("POST", "settings"): ("set_storage", True, _set_settings),
}
