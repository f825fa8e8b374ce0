"""Graph calls on one WhatsApp Business Account: its numbers, subscriptions and templates.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal, unknown_object
from sandbox.graph import fields
from sandbox.graph.access import Ask, Entry, callback_url, success, verified
from sandbox.graph.apps import SYSTEM_USER
from sandbox.graph.field_tree import Shape, Tree, Wanted, names, only, parse
from sandbox.graph.numbers_edge import numbers
from sandbox.graph.paging import Edge, Order, page
from sandbox.wire import Answer, answer_json
from sandbox.world.accounts import SCOPES, Subscription, Template, Waba
from sandbox.world.health import template_health

MANAGE = SCOPES[0]
LONGEST_OVERRIDE = 200
# https://developers.facebook.com/docs/graph-api/reference/whats-app-business-hsm/
# fmt: off
TEMPLATE: Shape = dict.fromkeys((
    "id", "name", "language", "status", "category", "rejected_reason", "parameter_format", "previous_category",
    "correct_category", "sub_category", "library_template_name", "message_send_ttl_seconds",
    "cta_url_link_tracking_opted_out", "degrees_of_freedom_spec"
)) | {
    "components": dict.fromkeys(("type", "format", "text", "example", "buttons")),
    "quality_score": dict.fromkeys(("score", "date", "reasons")),
}
# fmt: on
TEMPLATE_DEFAULTS = ("name", "components", "language", "status", "category")
USER: Shape = dict.fromkeys(("id", "name", "tasks"))


def _waba(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    edges: Mapping[str, fields.Expand] = {
        "phone_numbers": lambda one: numbers(ask, waba, _asks(one), one.inner or None),
        "message_templates": lambda one: _template_page(ask, waba, _asks(one)),
        "subscribed_apps": lambda one: {"data": _apps(ask, waba, one.inner)},
    }
    return answer_json(fields.render_waba(ask.world, waba, ask.params.get("fields"), edges))


def _asks(one: Wanted) -> dict[str, Any]:
    """Modifiers and braces as the parameters of the edge, so that its links can be followed."""
    return one.asks | ({"fields": one.text} if one.text else {})


def _numbers(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    return answer_json(numbers(ask, waba, ask.params))


def _subscribed_apps(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    return answer_json({"data": _apps(ask, waba, _tree(ask.params))})


def _apps(ask: Ask, waba: Waba, wanted: Tree) -> Any:
    return only(fields.subscribed(ask.world, waba), wanted, fields.SUBSCRIPTION)


def _tree(asks: Mapping[str, Any]) -> Tree:
    return parse(asks["fields"]) if asks.get("fields") else {}


def _subscribe(ask: Ask) -> Answer:
    """Subscribes the token's app. Without an override in the body it also removes the one that is there."""
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    override = ask.params.get("override_callback_uri")
    if override is not None:
        if token.app_id not in waba.subscriptions:
            raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
        url = callback_url(override, LONGEST_OVERRIDE)
        if not ask.params.get("verify_token"):
            raise Refusal(100, "Param verify_token is required.")

        def change() -> Answer:
            waba.subscriptions[token.app_id] = Subscription(token.app_id, url)
            return success(ask.world)

        return verified(ask, url, ask.params["verify_token"], change)
    waba.subscriptions[token.app_id] = Subscription(token.app_id)
    return success(ask.world)


def _unsubscribe(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    waba.subscriptions.pop(token.app_id, None)
    return success(ask.world)


def _templates(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    return answer_json(_template_page(ask, waba, ask.params))


def _template_page(ask: Ask, waba: Waba, asks: Mapping[str, Any]) -> dict[str, Any]:
    rows = {one.id: _template(one) for one in waba.templates}
    wanted = {name: asks[name] for name in ("name", "status", "language") if name in asks}
    tree = _tree(asks)
    only({}, tree, TEMPLATE)  # a field that does not exist is an error also where there is no row

    def visible(one: str) -> bool:
        return all(rows[one][name] == value for name, value in wanted.items())

    def row(one: str) -> dict[str, Any]:
        return {**only(rows[one], tree, TEMPLATE), "id": one}

    return page(ask, Edge(f"{waba.id}/message_templates", Order(list(rows)), row, asks, visible))


def _template(one: Template) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "language": one.language,
        "status": one.status,
        "category": one.category,
        "components": [{"type": "BODY", "text": "Hello {{1}}"}],
    }


def _one_template(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba, template = ask.world.templates[ask.path[0]]
    if not ask.sees(token, waba):
        raise unknown_object(template.id)
    told = _template(template) | {"health_status": template_health(ask.world, waba, template)}
    wanted = _tree(ask.params) or names(*TEMPLATE_DEFAULTS)
    return answer_json({**only(told, wanted, {**TEMPLATE, "health_status": fields.HEALTH}), "id": template.id})


def _assigned_users(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    ask.waba(token, ask.path[0])
    rows = [{"id": token.user_id, "name": SYSTEM_USER, "tasks": ["MANAGE"]}]
    return answer_json({"data": only(rows, _tree(ask.params), USER)})


TEMPLATE_CALLS: Mapping[tuple[str, str], Entry] = {("GET", ""): ("get.template", False, _one_template)}
WABA_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.waba", False, _waba),
    ("GET", "phone_numbers"): ("get.numbers", False, _numbers),
    ("GET", "subscribed_apps"): ("get.subscribed_apps", False, _subscribed_apps),
    ("POST", "subscribed_apps"): ("subscribe", True, _subscribe),
    ("DELETE", "subscribed_apps"): ("unsubscribe", True, _unsubscribe),
    ("GET", "message_templates"): ("get.templates", False, _templates),
    ("GET", "assigned_users"): ("get.assigned_users", False, _assigned_users),
}
