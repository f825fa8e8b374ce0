"""Reads of parts that the fleet has nothing in: shop, short links, blocked people, flows, groups, calls, signups.

And a business's WABAs.

The answers are those of a number or a WABA for which none of it was ever set up; no call here changes anything.
https://developers.facebook.com/documentation/business-messaging/whatsapp/qr-codes
https://developers.facebook.com/documentation/business-messaging/whatsapp/block-users
https://developers.facebook.com/documentation/business-messaging/whatsapp/groups
https://developers.facebook.com/documentation/business-messaging/whatsapp/calling/user-call-permissions
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
https://developers.facebook.com/documentation/business-messaging/whatsapp/in-app-signup
https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/manage-accounts
"""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal, unknown_object
from sandbox.graph import fields
from sandbox.graph.access import Entry, GraphCall
from sandbox.graph.field_tree import Shape, parse, plain_fields, select
from sandbox.graph.paging import Edge, Order, page
from sandbox.wire import Response, json_response
from sandbox.world.accounts import SCOPES

MANAGE, MESSAGING = SCOPES[:2]
SHOP = ("id", "is_cart_enabled", "is_catalog_visible")
COMMERCE: Shape = dict.fromkeys((*SHOP, "catalog_id"))  # a field that exists, and has no value without a catalogue
BUSINESS: Shape = dict.fromkeys(("id", "name", "timezone_id"))


def _no_rows_of_number(call: GraphCall) -> Response:
    call.number(MANAGE)
    return json_response({"data": []})


def _no_groups(call: GraphCall) -> Response:
    """`data` is an object here, as Meta's own file has it; pywa takes it for the rows themselves."""
    call.number(MANAGE)
    return json_response({"data": {}})


def _no_usernames(call: GraphCall) -> Response:
    call.number(MANAGE)
    return json_response({"data": [{"username_suggestions": []}]})


def _no_call_permission(call: GraphCall) -> Response:
    """Nobody has allowed calls: calling is switched off for every number of the sandbox."""
    call.number(MESSAGING)
    if not call.params.get("user_wa_id") and not call.params.get("recipient"):
        raise Refusal(100, "The parameter user_wa_id is required.")
    actions: list[dict[str, Any]] = [
        {"action_name": name, "can_perform_action": False, "limits": []}
        for name in ("send_call_permission_request", "start_call")
    ]
    permission = {"status": "no_permission"}
    return json_response({"messaging_product": "whatsapp", "permission": permission, "actions": actions})


def _no_rows_of_waba(call: GraphCall) -> Response:
    call.waba(call.authorize(MANAGE), call.path[0])
    return json_response({"data": []})


def _commerce(call: GraphCall) -> Response:
    """A number has these settings also before a catalogue is connected."""
    number = call.number(MANAGE)
    row = {"id": number.phone_number_id, "is_cart_enabled": True, "is_catalog_visible": False}
    tree = parse(call.params["fields"]) if call.params.get("fields") else plain_fields(*SHOP)
    return json_response({"data": [{**select(row, tree, COMMERCE), "id": row["id"]}]})


def _business(call: GraphCall) -> Response:
    business = call.world.businesses[_own_business(call)]
    tree = parse(call.params["fields"]) if call.params.get("fields") else plain_fields("id", "name")
    row = {"id": business.id, "name": business.name, "timezone_id": 1}
    return json_response({**select(row, tree, BUSINESS), "id": business.id})


def _owned(call: GraphCall) -> Response:
    """The WABAs of the business that the token may see."""
    token, business = call.authorize(MANAGE), _own_business(call)
    world, query = call.world, call.params.get("fields")
    ids = [waba.id for waba in world.wabas.values() if waba.business_id == business and call.can_see(token, waba)]
    edge = Edge(
        path=f"{business}/owned_whatsapp_business_accounts",
        order=Order(ids),
        row=lambda key: fields.render_waba(world, world.wabas[key], query, {}),
        params=call.params,
    )
    return json_response(page(call, edge))


def _shared(call: GraphCall) -> Response:
    """Every WABA of the sandbox belongs to the business that has the app; none is shared with another."""
    _own_business(call)
    return json_response({"data": []})


def _own_business(call: GraphCall) -> str:
    """The business, for a token of one of its apps. Raises Refusal."""
    token = call.authorize(MANAGE)
    if call.world.apps[token.app_id].business_id != call.path[0]:
        raise unknown_object(call.path[0])
    return call.path[0]


OTHER_PHONE_READS: Mapping[tuple[str, str], Entry] = {
    ("GET", "whatsapp_commerce_settings"): ("get.commerce_settings", False, _commerce),
    ("GET", "message_qrdls"): ("get.qr_codes", False, _no_rows_of_number),
    ("GET", "block_users"): ("get.blocked_users", False, _no_rows_of_number),
    ("GET", "groups"): ("get.groups", False, _no_groups),
    ("GET", "username_suggestions"): ("get.username_suggestions", False, _no_usernames),
    ("GET", "call_permissions"): ("get.call_permissions", False, _no_call_permission),
}
OTHER_WABA_READS: Mapping[tuple[str, str], Entry] = {
    ("GET", "flows"): ("get.flows", False, _no_rows_of_waba),
    ("GET", "signups"): ("get.signups", False, _no_rows_of_waba),
}
BUSINESS_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.business", False, _business),
    ("GET", "owned_whatsapp_business_accounts"): ("get.owned_wabas", False, _owned),
    ("GET", "client_whatsapp_business_accounts"): ("get.shared_wabas", False, _shared),
}
