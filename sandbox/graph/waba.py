"""Graph calls on one WhatsApp Business Account: its numbers, subscriptions and templates.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal, unknown_object
from sandbox.graph import fields
from sandbox.graph.access import Entry, GraphCall, after_handshake, callback_url, success
from sandbox.graph.apps import SYSTEM_USER
from sandbox.graph.field_tree import RequestedField, Shape, Tree, parse, plain_fields, select
from sandbox.graph.numbers_edge import numbers
from sandbox.graph.other_reads import OTHER_WABA_READS
from sandbox.graph.paging import Edge, Order, Visible, page
from sandbox.wire import Response, json_response
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
TEMPLATE_DEFAULTS = ("name", "parameter_format", "components", "language", "status", "category")
FILTERS = ("name", "status", "language", "category")  # several values of one are separated by commas
MOST_TEMPLATES = 6_000  # of a verified business: .../whatsapp/templates/overview
RATED_AT = 1_735_689_600  # seconds since 1970: when its quality was last looked at
USER: Shape = dict.fromkeys(("id", "name", "tasks"))


def _waba(call: GraphCall) -> Response:
    token = call.authorize(MANAGE)
    waba = call.waba(token, call.path[0])
    edges: Mapping[str, fields.Expand] = {
        "phone_numbers": lambda field: numbers(call, waba, _params(field), field.inner or None),
        "message_templates": lambda field: _template_page(call, waba, _params(field)),
        "subscribed_apps": lambda field: {"data": _apps(call, waba, field.inner)},
    }
    return json_response(fields.render_waba(call.world, waba, call.params.get("fields"), edges))


def _params(field: RequestedField) -> dict[str, Any]:
    """Modifiers and braces as parameters of the edge, so that the links to its other pages have them."""
    return field.modifiers | ({"fields": field.text} if field.text else {})


def _numbers(call: GraphCall) -> Response:
    waba = call.waba(call.authorize(MANAGE), call.path[0])
    return json_response(numbers(call, waba, call.params))


def _subscribed_apps(call: GraphCall) -> Response:
    waba = call.waba(call.authorize(MANAGE), call.path[0])
    return json_response({"data": _apps(call, waba, _tree(call.params))})


def _apps(call: GraphCall, waba: Waba, tree: Tree) -> Any:
    return select(fields.subscribed(call.world, waba), tree, fields.SUBSCRIPTION)


def _tree(params: Mapping[str, Any]) -> Tree:
    return parse(params["fields"]) if params.get("fields") else {}


def _subscribe(call: GraphCall) -> Response:
    """Subscribes the token's app. Without an override in the body, an existing override is removed."""
    token = call.authorize(MANAGE)
    waba = call.waba(token, call.path[0])
    override = call.params.get("override_callback_uri")
    if override is not None:
        if token.app_id not in waba.subscriptions:
            raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
        url = callback_url(override, LONGEST_OVERRIDE)
        if not call.params.get("verify_token"):
            raise Refusal(100, "Param verify_token is required.")

        def change() -> Response:
            waba.subscriptions[token.app_id] = Subscription(token.app_id, url)
            return success(call.world)

        return after_handshake(call, url, call.params["verify_token"], change)
    waba.subscriptions[token.app_id] = Subscription(token.app_id)
    return success(call.world)


def _unsubscribe(call: GraphCall) -> Response:
    token = call.authorize(MANAGE)
    waba = call.waba(token, call.path[0])
    waba.subscriptions.pop(token.app_id, None)
    return success(call.world)


def _templates(call: GraphCall) -> Response:
    waba = call.waba(call.authorize(MANAGE), call.path[0])
    return json_response(_template_page(call, waba, call.params))


def _template_page(call: GraphCall, waba: Waba, params: Mapping[str, Any]) -> dict[str, Any]:
    rows = {template.id: _template(template) for template in waba.templates}
    filters = {name: str(params[name]).split(",") for name in FILTERS if name in params}
    tree = _tree(params) or plain_fields(*TEMPLATE_DEFAULTS)
    select({}, tree, TEMPLATE)  # a field that does not exist is an error also when there is no row

    def visible(template_id: str) -> bool:
        return all(rows[template_id][name] in values for name, values in filters.items())

    def row(template_id: str) -> dict[str, Any]:
        return {**select(rows[template_id], tree, TEMPLATE), "id": template_id}

    answer = page(call, Edge(f"{waba.id}/message_templates", Order(list(rows)), row, params, visible))
    return answer | _summary(rows, visible, params.get("summary"))


def _summary(rows: Mapping[str, Any], visible: Visible, asked: Any) -> dict[str, Any]:
    """The counts that the parameter `summary` names; nothing where it is not given. Raises Refusal."""
    if not asked:
        return {}
    counts = {
        "total_count": sum(map(visible, rows)),
        "message_template_count": len(rows),
        "message_template_limit": MOST_TEMPLATES,
        "are_translations_complete": True,
    }
    return {"summary": select(counts, parse(asked), dict.fromkeys(counts))}


def _template(template: Template) -> dict[str, Any]:
    """With what Graph says of a template for which nobody chose anything: positional parameters, no rating yet.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/templates/overview
    """
    return {
        "id": template.id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "parameter_format": "POSITIONAL",
        "components": [{"type": "BODY", "text": "Hello {{1}}", "example": {"body_text": [["Ada"]]}}],
        "rejected_reason": "NONE" if template.status != "REJECTED" else "INVALID_FORMAT",
        "quality_score": {"score": "UNKNOWN", "date": RATED_AT},
        "cta_url_link_tracking_opted_out": False,
    }


def _read_template(call: GraphCall) -> Response:
    token = call.authorize(MANAGE)
    waba, template = call.world.templates[call.path[0]]
    if not call.can_see(token, waba):
        raise unknown_object(template.id)
    content = _template(template) | {"health_status": template_health(call.world, waba, template)}
    tree = _tree(call.params) or plain_fields(*TEMPLATE_DEFAULTS)
    return json_response({**select(content, tree, {**TEMPLATE, "health_status": fields.HEALTH}), "id": template.id})


def _assigned_users(call: GraphCall) -> Response:
    token = call.authorize(MANAGE)
    call.waba(token, call.path[0])
    rows = [{"id": token.user_id, "name": SYSTEM_USER, "tasks": ["MANAGE"]}]
    return json_response({"data": select(rows, _tree(call.params), USER)})


TEMPLATE_CALLS: Mapping[tuple[str, str], Entry] = {("GET", ""): ("get.template", False, _read_template)}
WABA_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.waba", False, _waba),
    ("GET", "phone_numbers"): ("get.numbers", False, _numbers),
    ("GET", "subscribed_apps"): ("get.subscribed_apps", False, _subscribed_apps),
    ("POST", "subscribed_apps"): ("subscribe", True, _subscribe),
    ("DELETE", "subscribed_apps"): ("unsubscribe", True, _unsubscribe),
    ("GET", "message_templates"): ("get.templates", False, _templates),
    ("GET", "assigned_users"): ("get.assigned_users", False, _assigned_users),
    **OTHER_WABA_READS,
}
