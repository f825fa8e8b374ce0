"""Graph calls on one phone number."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal
from sandbox.graph import fields
from sandbox.graph.access import Ask, Entry, callback_url, success, verified
from sandbox.graph.business_profile import PROFILE_CALLS
from sandbox.graph.field_tree import parse
from sandbox.graph.settings import SETTINGS_CALLS
from sandbox.wire import Answer, answer_json
from sandbox.world import display_names as naming
from sandbox.world import messaging, registering, verifying
from sandbox.world.accounts import SCOPES
from sandbox.world.number import SimNumber

MANAGE, MESSAGING = SCOPES


def _read(ask: Ask) -> Answer:
    number = ask.number(MANAGE, deleted=ask.world.switches.deleted_number_reads == "DELETED")
    wanted = ask.params.get("fields")
    return answer_json(fields.render_phone(ask.world, number, parse(wanted) if wanted else None, ask.app()))


def _change_name(ask: Ask) -> str:
    if "webhook_configuration" in ask.params:
        return "set_webhook"
    return "set_name" if "new_display_name" in ask.params else "set_pin"


def _change(ask: Ask) -> Answer:
    """The PIN, a new display name, the number's own callback URL: one of them, or several."""
    number, params = ask.number(MANAGE), ask.params
    if "pin" in params:
        verifying.set_pin(ask.world, number, params["pin"])
    if "new_display_name" in params:
        naming.ask_for(ask.world, number, params["new_display_name"])
    if "webhook_configuration" in params:
        return _set_webhook(ask, number, params["webhook_configuration"])
    if "pin" not in params and "new_display_name" not in params:
        raise Refusal(100, "Param pin is required.")
    return success(ask.world)


def _set_webhook(ask: Ask, number: SimNumber, override: Any) -> Answer:
    """An empty address removes it: .../whatsapp/webhooks/override"""
    if not isinstance(override, Mapping) or "override_callback_uri" not in override:
        raise Refusal(100, "Param webhook_configuration must have override_callback_uri.")
    given, app = override["override_callback_uri"], ask.app()
    if not given:
        number.webhooks.pop(app.id, None)
        return success(ask.world)
    if app.id not in ask.world.wabas[number.waba_id].subscriptions:
        raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
    url = callback_url(given)
    if not override.get("verify_token"):
        raise Refusal(100, "Param verify_token is required.")

    def change() -> Answer:
        number.webhooks[app.id] = url
        return success(ask.world)

    return verified(ask, url, override["verify_token"], change)


def _register(ask: Ask) -> Answer:
    number = ask.number(MANAGE, MESSAGING, deleted=True)  # refused and counted like any other
    return success(ask.world, registering.register(ask.world, number, ask.params))


def _deregister(ask: Ask) -> Answer:
    registering.deregister(ask.world, ask.number(MANAGE, deleted=True))
    return success(ask.world)


def _request_code(ask: Ask) -> Answer:
    params = ask.params
    verifying.request_code(ask.world, ask.number(MANAGE), params.get("code_method"), params.get("language"))
    return success(ask.world)


def _verify_code(ask: Ask) -> Answer:
    verifying.verify_code(ask.world, ask.number(MANAGE), ask.params.get("code"))
    return success(ask.world)


def _messages(ask: Ask) -> Answer:
    number = ask.number(MESSAGING)
    if ask.params.get("status") == "read":
        messaging.read_receipt(number, ask.params)
        return success(ask.world)
    return answer_json(messaging.send(ask.world, number, ask.params), effect=True)


PHONE_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.number", False, _read),
    ("POST", ""): (_change_name, True, _change),
    ("POST", "register"): ("register", True, _register),
    ("POST", "deregister"): ("deregister", True, _deregister),
    ("POST", "request_code"): ("request_code", True, _request_code),
    ("POST", "verify_code"): ("verify_code", True, _verify_code),
    ("POST", "messages"): ("messages", True, _messages),
    **SETTINGS_CALLS,
    **PROFILE_CALLS,
}
