"""Graph on the wire: which call a request is, its handler, and the shape of answers and refusals.

Any `vNN.N` or none in front, a trailing slash or none; parameters from query, form and JSON alike.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandbox import wording_variants as noise
from sandbox.errors import Refusal, unknown_object
from sandbox.graph.access import VERSION, Ask, AsksFirst, Handler, served_version
from sandbox.graph.apps import APP_CALLS, UPLOAD_CALLS, access_token, debug_token, me
from sandbox.graph.phone_number import PHONE_CALLS
from sandbox.graph.waba import TEMPLATE_CALLS, WABA_CALLS
from sandbox.wire import Answer, Asked, Request, Target, answer_json
from sandbox.world.accounts import App
from sandbox.world.call_limits import Usage, spend, usage_headers
from sandbox.world.world import World

# Refusals of Graph itself, not of a product on it: they have no code in front of their text.
BARE = frozenset({101, 104, 190, 2500})


def identify(world: World, request: Request) -> Target:
    """What this call is. Never raises: a call that makes no sense is answered when it runs."""
    if request.method == "HEAD":
        request = replace(request, method="GET")  # the server leaves the body out
    parts = request.parts
    version = parts.pop(0) if parts and VERSION.fullmatch(parts[0]) else None
    ask = Ask(world, request, parts, version)
    call, write, run = _find(ask)
    number = world.by_id.get(parts[0]) if parts else None
    if number is not None:
        world.settle(number)
    app = _app(ask)
    return Target("graph", call, lambda: _answer(ask, app, call, run), write, number, app)


def _find(ask: Ask) -> tuple[str, bool, Handler]:
    path, method, world = ask.path, ask.request.method, ask.world
    if _too_new(ask):
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
    elif node.startswith("upload:"):
        tables = [UPLOAD_CALLS]
    elif node in world.apps:
        tables = [APP_CALLS]
    else:
        tables = [PHONE_CALLS] if node in world.by_id else [PHONE_CALLS, WABA_CALLS]
    for table in tables:
        if (found := table.get((method, edge))) is not None:
            name, write, handler = found
            return (name(ask) if callable(name) else name), write, handler
    return "unknown", method != "GET", _unknown


def _answer(ask: Ask, app: App | None, call: str, run: Handler) -> Answer:
    used = _spend(ask, app, call)

    def run_it() -> Answer:
        if used.refusal is not None:
            raise used.refusal
        return run(ask)

    return _finished(ask, used, run_it)


def _finished(ask: Ask, used: Usage, make: Callable[[], Answer]) -> Answer:
    """The answer with its headers; one that waits for a handshake is finished when that is over."""
    try:
        answer = make()
    except AsksFirst as asks:
        then = asks.then
        return Answer(
            asks=Asked(asks.handshake, lambda passed: _finished(ask, used, then if passed else _unverified(ask)))
        )
    except Refusal as refusal:
        answer = _refuse(ask, refusal)
    else:
        if ask.world.switches.noise == "on" and answer.status == 200:
            answer.body = answer_json(noise.success(json.loads(answer.body), len(ask.world.log))).body
    answer.headers |= usage_headers(used) | _headers(ask)
    return answer


def _unverified(ask: Ask) -> Callable[[], Answer]:
    def refuse() -> Answer:
        raise Refusal(ask.world.switches.handshake_refused_code, message="Callback verification failed")

    return refuse


def _spend(ask: Ask, app: App | None, call: str) -> Usage:
    node = ask.path[0] if ask.path else ""
    number, template = ask.world.by_id.get(node), ask.world.templates.get(node)
    waba = template[0] if template is not None else ask.world.wabas.get(number.waba_id if number is not None else node)
    return spend(ask.world, waba, app, call)


def _app(ask: Ask) -> App | None:
    """The app that asks: its token's, or as which it asks for a token. Who is nobody spends nobody's calls."""
    world, given = ask.world, ask.token
    token = (world.tokens.get(given) or ask.as_app(given)) if given is not None else None
    return world.apps.get(token.app_id if token is not None else str(ask.params.get("client_id")))


def _refuse(ask: Ask, refusal: Refusal) -> Answer:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""
    message = refusal.message
    if refusal.subcode == 33:
        message = message.replace("Unsupported request", f"Unsupported {ask.request.method.lower()} request", 1)
    if refusal.code not in BARE and refusal.kind == "OAuthException" and not message.startswith("(#"):
        message = f"(#{refusal.code}) {message}"
    error: dict[str, Any] = {"message": message, "type": refusal.kind, "code": refusal.code}
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    if refusal.details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": refusal.details}
    error |= refusal.extra
    error["fbtrace_id"] = _trace(ask.world)
    if ask.world.switches.noise == "on":
        error = noise.error(error, len(ask.world.log))
    all_400 = ask.world.switches.http_status == "all_400" and refusal.status != 401
    return answer_json({"error": error}, 400 if all_400 else refusal.status, code=refusal.code)


def _trace(world: World) -> str:
    digest = hashlib.sha256(f"{world.seed}:{len(world.log)}".encode()).digest()
    return "A" + base64.urlsafe_b64encode(digest[:15]).decode().rstrip("=")


def _headers(ask: Ask) -> dict[str, str]:
    return {
        "facebook-api-version": served_version(ask.version, ask.world.now()),
        "x-fb-trace-id": _trace(ask.world),
        "x-fb-request-id": _trace(ask.world)[::-1],
        "x-fb-rev": "1029384756",
    }


def _too_new(ask: Ask) -> bool:
    newest = served_version("v999999.0", ask.world.now())
    asked = served_version(ask.version, ask.world.now())
    return asked == newest and ask.version not in (None, newest) and ask.world.switches.unknown_version == "refused"


def _unknown(ask: Ask) -> Answer:
    if _too_new(ask):
        raise Refusal(2500, message=f"Unknown path components: /{'/'.join(ask.path)}")
    if not ask.path:
        raise Refusal(2500, message="An active access token must be used to query information.")
    ask.authorize()
    if len(ask.path) > 1 and (ask.path[0] in ask.world.by_id or ask.path[0] in ask.world.wabas):
        raise Refusal(2500, message=f"Unknown path components: /{'/'.join(ask.path[1:])}")
    raise unknown_object(ask.path[0])
