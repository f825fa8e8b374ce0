"""Routes of Graph: which call a request is, its handler, and the form of responses and refusals.

A path may begin with any `vNN.N` or none, and end with a slash. Query, form and JSON give parameters alike.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox import wording_variants
from sandbox.errors import Refusal, unknown_object
from sandbox.graph.access import VERSION, GraphCall, Handler, HandshakeRequired, served_version
from sandbox.graph.apps import APP_CALLS, UPLOAD_CALLS, access_token, debug_token, me
from sandbox.graph.other_reads import BUSINESS_CALLS
from sandbox.graph.phone_number import PHONE_CALLS
from sandbox.graph.waba import TEMPLATE_CALLS, WABA_CALLS
from sandbox.wire import PendingHandshake, Request, Response, RoutedCall, json_response
from sandbox.world.accounts import App
from sandbox.world.call_limits import Usage, count_call, usage_headers
from sandbox.world.world import World

# Refusals of Graph itself and not of a product on it: their text does not begin with the error code.
BARE = frozenset({101, 104, 190, 2500})


def identify(world: World, request: Request) -> RoutedCall:
    """The call that a request makes. Never raises: an invalid call is refused when it runs."""
    if request.method == "HEAD":
        request = replace(request, method="GET")  # the server leaves the body out
    parts = request.parts
    version = parts.pop(0) if parts and VERSION.fullmatch(parts[0]) else None
    call = GraphCall(world, request, parts, version)
    name, write, handler = _find(call)
    number = world.by_id.get(parts[0]) if parts else None
    if number is not None:
        world.settle(number)
    app = _app(call)
    return RoutedCall("graph", name, lambda: _respond(call, app, name, handler), write, number, app)


def _find(call: GraphCall) -> tuple[str, bool, Handler]:
    path, method, world = call.path, call.request.method, call.world
    if _too_new(call):
        return "unknown", method != "GET", _unknown
    if path == ["debug_token"]:
        return "get.debug_token", False, debug_token
    if path == ["oauth", "access_token"]:
        return "get.access_token", False, access_token
    if path == ["me"] and method == "GET":
        return "get.me", False, me
    if not path or len(path) > 2:
        return "unknown", method != "GET", _unknown
    node, edge = path[0], path[1] if len(path) == 2 else ""
    if node in world.wabas:
        tables = [WABA_CALLS]
    elif node in world.templates:
        tables = [TEMPLATE_CALLS]
    elif node in world.businesses:
        tables = [BUSINESS_CALLS]
    elif node.startswith("upload:"):
        tables = [UPLOAD_CALLS]
    elif node in world.apps:
        tables = [APP_CALLS]
    else:
        tables = [PHONE_CALLS] if node in world.by_id else [PHONE_CALLS, WABA_CALLS]
    for table in tables:
        if (entry := table.get((method, edge))) is not None:
            name, write, handler = entry
            return (name(call) if callable(name) else name), write, handler
    return "unknown", method != "GET", _unknown


def _respond(call: GraphCall, app: App | None, name: str, handler: Handler) -> Response:
    usage = _count(call, app, name)

    def make() -> Response:
        if usage.refusal is not None:
            raise usage.refusal
        return handler(call)

    return _finish(call, usage, make)


def _finish(call: GraphCall, usage: Usage, make: Callable[[], Response]) -> Response:
    """The response with its headers. One that needs a handshake is finished after it."""
    try:
        response = make()
    except HandshakeRequired as required:
        change = required.change
        pending = PendingHandshake(
            required.handshake,
            lambda passed: _finish(call, usage, change if passed else lambda: _refuse_address(call)),
        )
        return Response(pending=pending)
    except Refusal as refusal:
        response = _refuse(call, refusal)
    else:
        if call.world.switches.noise == "on" and response.status == 200:
            body = wording_variants.vary_success(json.loads(response.body), len(call.world.log))
            response.body = json_response(body).body
    response.headers |= usage_headers(usage) | _headers(call)
    return response


def _refuse_address(call: GraphCall) -> Response:
    raise Refusal(call.world.switches.handshake_refused_code, message="Callback verification failed")


def _count(call: GraphCall, app: App | None, name: str) -> Usage:
    node = call.path[0] if call.path else ""
    number, template = call.world.by_id.get(node), call.world.templates.get(node)
    waba_id = number.waba_id if number is not None else node
    waba = template[0] if template is not None else call.world.wabas.get(waba_id)
    return count_call(call.world, waba, app, name)


def _app(call: GraphCall) -> App | None:
    """The app that calls: that of the token, or of `client_id`. None for a call that counts for no app."""
    world, value = call.world, call.token
    token = (world.tokens.get(value) or call.app_token(value)) if value is not None else None
    return world.apps.get(token.app_id if token is not None else str(call.params.get("client_id")))


def _refuse(call: GraphCall, refusal: Refusal) -> Response:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""
    message = refusal.message
    if refusal.subcode == 33:
        message = message.replace("Unsupported request", f"Unsupported {call.request.method.lower()} request", 1)
    if refusal.code not in BARE and refusal.kind == "OAuthException" and not message.startswith("(#"):
        message = f"(#{refusal.code}) {message}"
    error: dict[str, Any] = {"message": message, "type": refusal.kind, "code": refusal.code}
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    if refusal.details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": refusal.details}
    error |= refusal.extra
    error["fbtrace_id"] = _trace(call.world)
    if call.world.switches.noise == "on":
        error = wording_variants.vary_error(error, len(call.world.log))
    all_400 = call.world.switches.http_status == "all_400" and refusal.status != 401
    return json_response({"error": error}, 400 if all_400 else refusal.status, code=refusal.code)


def _trace(world: World) -> str:
    digest = hashlib.sha256(f"{world.seed}:{len(world.log)}".encode()).digest()
    return "A" + base64.urlsafe_b64encode(digest[:15]).decode().rstrip("=")


def _headers(call: GraphCall) -> dict[str, str]:
    return {
        "facebook-api-version": served_version(call.version, call.world.now()),
        "x-fb-trace-id": _trace(call.world),
        "x-fb-request-id": _trace(call.world)[::-1],
        "x-fb-rev": "1029384756",
    }


def _too_new(call: GraphCall) -> bool:
    newest = served_version("v999999.0", call.world.now())
    served = served_version(call.version, call.world.now())
    return served == newest and call.version not in (None, newest) and call.world.switches.unknown_version == "refused"


def _unknown(call: GraphCall) -> Response:
    if _too_new(call):
        raise Refusal(2500, message=f"Unknown path components: /{'/'.join(call.path)}")
    if not call.path:
        raise Refusal(2500, message="An active access token must be used to query information.")
    call.authorize()
    if len(call.path) > 1 and (call.path[0] in call.world.by_id or call.path[0] in call.world.wabas):
        raise Refusal(2500, message=f"Unknown path components: /{'/'.join(call.path[1:])}")
    raise unknown_object(call.path[0])
