"""Graph calls on one phone number."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal
from sandbox.graph import fields
from sandbox.graph.access import Entry, GraphCall, after_handshake, callback_url, success
from sandbox.graph.business_profile import PROFILE_CALLS
from sandbox.graph.field_tree import parse
from sandbox.graph.other_reads import OTHER_PHONE_READS
from sandbox.graph.settings import SETTINGS_CALLS
from sandbox.wire import Response, json_response
from sandbox.world import display_names, messaging, registering, verifying
from sandbox.world.accounts import SCOPES
from sandbox.world.number import SimNumber

MANAGE, MESSAGING = SCOPES


def _read(call: GraphCall) -> Response:
    number = call.number(MANAGE, deleted=call.world.switches.deleted_number_reads == "DELETED")
    query = call.params.get("fields")
    return json_response(fields.render_phone(call.world, number, parse(query) if query else None, call.app()))


def _name_of_change(call: GraphCall) -> str:
    if "webhook_configuration" in call.params:
        return "set_webhook"
    return "set_name" if "new_display_name" in call.params else "set_pin"


def _change(call: GraphCall) -> Response:
    """Sets the PIN, a new display name, the number's own callback URL, or several of these."""
    number, params = call.number(MANAGE), call.params
    if "pin" in params:
        verifying.set_pin(call.world, number, params["pin"])
    if "new_display_name" in params:
        display_names.request_change(call.world, number, params["new_display_name"])
    if "webhook_configuration" in params:
        return _set_webhook(call, number, params["webhook_configuration"])
    if "pin" not in params and "new_display_name" not in params:
        raise Refusal(100, "Param pin is required.")
    return success(call.world)


def _set_webhook(call: GraphCall, number: SimNumber, override: Any) -> Response:
    """Sets the number's own webhook address; an empty one removes it: .../whatsapp/webhooks/override"""
    if not isinstance(override, Mapping) or "override_callback_uri" not in override:
        raise Refusal(100, "Param webhook_configuration must have override_callback_uri.")
    value, app = override["override_callback_uri"], call.app()
    if not value:
        number.webhooks.pop(app.id, None)
        return success(call.world)
    if app.id not in call.world.wabas[number.waba_id].subscriptions:
        raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
    url = callback_url(value)
    if not override.get("verify_token"):
        raise Refusal(100, "Param verify_token is required.")

    def change() -> Response:
        number.webhooks[app.id] = url
        return success(call.world)

    return after_handshake(call, url, override["verify_token"], change)


def _register(call: GraphCall) -> Response:
    number = call.number(MANAGE, MESSAGING, deleted=True)  # a call for a deleted number counts too, and is refused
    return success(call.world, registering.register(call.world, number, call.params))


def _deregister(call: GraphCall) -> Response:
    registering.deregister(call.world, call.number(MANAGE, deleted=True))
    return success(call.world)


def _request_code(call: GraphCall) -> Response:
    params = call.params
    verifying.request_code(call.world, call.number(MANAGE), params.get("code_method"), params.get("language"))
    return success(call.world)


def _verify_code(call: GraphCall) -> Response:
    verifying.verify_code(call.world, call.number(MANAGE), call.params.get("code"))
    return success(call.world)


def _messages(call: GraphCall) -> Response:
    number = call.number(MESSAGING)
    if call.params.get("status") == "read":
        messaging.read_receipt(number, call.params)
        return success(call.world)
    return json_response(messaging.send(call.world, number, call.params), effect=True)


PHONE_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.number", False, _read),
    ("POST", ""): (_name_of_change, True, _change),
    ("POST", "register"): ("register", True, _register),
    ("POST", "deregister"): ("deregister", True, _deregister),
    ("POST", "request_code"): ("request_code", True, _request_code),
    ("POST", "verify_code"): ("verify_code", True, _verify_code),
    ("POST", "messages"): ("messages", True, _messages),
    **SETTINGS_CALLS,
    **PROFILE_CALLS,
    **OTHER_PHONE_READS,
}
