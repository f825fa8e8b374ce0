"""Graph on the wire: which call a request is, its handler, and the shape of answers and refusals.

Any `vNN.N` or none in front, a trailing slash or none; parameters from query, form and JSON alike.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from migration.sandbox import graph_fields as fields
from migration.sandbox.errors import Refusal, unknown_object
from migration.sandbox.graph_access import VERSION, Ask, served_version
from migration.sandbox.graph_phone import PHONE_CALLS, success
from migration.sandbox.wire import Answer, Request, Target, answer_json
from migration.sandbox.world import SCOPES, Subscription, Token, World

MANAGE = SCOPES[0]
LIMIT, MOST = 25, 100
LONGEST_OVERRIDE = 200


def identify(world: World, request: Request) -> Target:
    """What this call is. Never raises: a call that makes no sense is answered when it runs."""
    parts = request.parts
    version = parts.pop(0) if parts and VERSION.fullmatch(parts[0]) else None
    ask = Ask(world, request, parts, version)
    call, write, run = _find(ask)
    number = world.by_id.get(parts[0]) if parts else None
    if number is not None:
        world.settle(number)
    return Target("graph", call, lambda: _answer(ask, run), write, number)


Handler = Callable[[Ask], Answer]


def _find(ask: Ask) -> tuple[str, bool, Handler]:
    path, method, world = ask.path, ask.request.method, ask.world
    if path == ["debug_token"]:
        return "get.debug_token", False, _debug_token
    if path == ["oauth", "access_token"]:
        return "get.access_token", False, _access_token
    if not path or len(path) > 2:
        return "unknown", method != "GET", _unknown
    node, edge = path[0], path[1] if len(path) == 2 else ""
    if node in world.wabas:
        tables = [WABA_CALLS]
    elif node in world.apps:
        tables = [APP_CALLS]
    else:
        tables = [PHONE_CALLS] if node in world.by_id else [PHONE_CALLS, WABA_CALLS]
    for table in tables:
        if (found := table.get((method, edge))) is not None:
            name, write, handler = found
            return (name(ask) if callable(name) else name), write, handler
    return "unknown", method != "GET", _unknown


def _answer(ask: Ask, run: Handler) -> Answer:
    try:
        answer = run(ask)
    except Refusal as refusal:
        answer = _refuse(ask, refusal)
    answer.headers |= _headers(ask)
    return answer


def _refuse(ask: Ask, refusal: Refusal) -> Answer:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"""
    message = refusal.message
    if refusal.code not in (190, 104) and refusal.kind == "OAuthException" and not message.startswith("(#"):
        message = f"(#{refusal.code}) {message}"
    error: dict[str, Any] = {"message": message, "type": refusal.kind, "code": refusal.code}
    if refusal.subcode is not None:
        error["error_subcode"] = refusal.subcode
    if refusal.details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": refusal.details}
    error |= refusal.extra
    error["fbtrace_id"] = _trace(ask.world)
    all_400 = ask.world.switches.http_status == "all_400" and refusal.status != 401
    return answer_json({"error": error}, 400 if all_400 else refusal.status, code=refusal.code)


def _trace(world: World) -> str:
    digest = hashlib.sha256(f"{world.seed}:{len(world.log)}".encode()).digest()
    return "A" + base64.urlsafe_b64encode(digest[:15]).decode().rstrip("=")


def _headers(ask: Ask) -> dict[str, str]:
    usage = json.dumps({"call_count": 1, "total_cputime": 1, "total_time": 1})
    business = next(iter(ask.world.apps.values())).business_id if ask.world.apps else "0"
    per_business = {
        business: [
            {
                "type": "whatsapp_business_management",
                "call_count": 1,
                "total_cputime": 1,
                "total_time": 1,
                "estimated_time_to_regain_access": 0,
            }
        ]
    }
    return {
        "facebook-api-version": served_version(ask.version, ask.world.now()),
        "x-app-usage": usage,
        "x-business-use-case-usage": json.dumps(per_business),
        "x-fb-trace-id": _trace(ask.world),
        "x-fb-rev": "1029384756",
    }


def _unknown(ask: Ask) -> Answer:
    if not ask.path:
        raise Refusal(2500, message="An active access token must be used to query information.")
    ask.authorize()
    if len(ask.path) > 1 and (ask.path[0] in ask.world.by_id or ask.path[0] in ask.world.wabas):
        raise Refusal(2500, message=f"Unknown path components: /{'/'.join(ask.path[1:])}")
    raise unknown_object(ask.path[0])


# -- WABAs


def _waba(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    return answer_json(fields.render_waba(ask.world, waba, ask.params.get("fields")))


def _numbers(ask: Ask) -> Answer:
    """Newest onboarding first."""
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    numbers = [ask.world.by_phone_id(one) for one in waba.phone_number_ids]
    long_ago = datetime(2015, 1, 1, tzinfo=UTC)
    numbers.sort(key=lambda number: number.onboarded_at or long_ago, reverse=True)
    wanted = ask.params.get("fields")
    visible = [number for number in numbers if not number.deleted]
    return _page(
        ask,
        [number.phone_number_id for number in visible],
        lambda at: fields.render_phone(ask.world, visible[at], wanted),
    )


def _page(ask: Ask, keys: list[str], row: Callable[[int], dict[str, Any]]) -> Answer:
    """Cursors are opaque, `next` is absolute and absent on the last page."""
    limit = _limit(ask.params.get("limit", LIMIT))
    start = 0
    if "after" in ask.params:
        start = _at(keys, ask.params["after"]) + 1
    elif "before" in ask.params:
        start = max(0, _at(keys, ask.params["before"]) - limit)
    rows = [row(at) for at in range(start, min(start + limit, len(keys)))]
    if not rows:
        return answer_json({"data": []})
    first, last = _cursor(keys[start]), _cursor(keys[start + len(rows) - 1])
    paging: dict[str, Any] = {"cursors": {"before": first, "after": last}}
    if start + limit < len(keys):
        paging["next"] = _link(ask, limit, after=last)
    if start > 0:
        paging["previous"] = _link(ask, limit, before=first)
    return answer_json({"data": rows, "paging": paging})


def _limit(given: Any) -> int:
    """Anything above the most is taken as the most. Raises Refusal."""
    if not str(given).isdecimal():
        raise Refusal(100, message="(#100) param limit must be non-negative")
    return max(1, min(int(given), MOST))


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(f"QVFI{key}".encode()).decode().rstrip("=")


def _at(keys: list[str], cursor: Any) -> int:
    by_cursor = {_cursor(key): at for at, key in enumerate(keys)}
    if str(cursor) not in by_cursor:
        raise Refusal(100, message="(#100) The cursor is not valid")
    return by_cursor[str(cursor)]


def _link(ask: Ask, limit: int, **cursor: str) -> str:
    kept = {name: value for name, value in ask.params.items() if name not in ("after", "before", "limit")}
    version = ask.version or served_version(None, ask.world.now())
    query = urlencode(kept | {"access_token": ask.token, "limit": limit} | cursor)
    return f"{ask.request.base}/{version}/{'/'.join(ask.path)}?{query}"


def _subscribed_apps(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    return answer_json({"data": fields.subscribed(ask.world, waba)})


def _subscribe(ask: Ask) -> Answer:
    """Subscribes the token's app. Without an override in the body it also removes the one that is there.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
    """
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    override = ask.params.get("override_callback_uri")
    if override is not None:
        if token.app_id not in waba.subscriptions:
            raise Refusal(100, "Before override the current callback uri, your app must be subscribed.")
        if not str(override).startswith("https://") or len(str(override)) > LONGEST_OVERRIDE:
            raise Refusal(100, "Param override_callback_uri must be an https URL of at most 200 characters.")
        if not ask.params.get("verify_token"):
            raise Refusal(100, "Param verify_token is required.")
    waba.subscriptions[token.app_id] = Subscription(token.app_id, override)
    return success(ask.world)


def _unsubscribe(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    waba = ask.waba(token, ask.path[0])
    waba.subscriptions.pop(token.app_id, None)
    return success(ask.world)


def _templates(ask: Ask) -> Answer:
    waba = ask.waba(ask.authorize(MANAGE), ask.path[0])
    asked = {name: ask.params[name] for name in ("name", "status", "language") if name in ask.params}
    rows = [
        {
            "id": one.id,
            "name": one.name,
            "language": one.language,
            "status": one.status,
            "category": one.category,
            "components": [{"type": "BODY", "text": "Hello {{1}}"}],
        }
        for one in waba.templates
    ]
    rows = [row for row in rows if all(row[name] == value for name, value in asked.items())]
    return _page(ask, [str(row["id"]) for row in rows], lambda at: rows[at])


def _assigned_users(ask: Ask) -> Answer:
    token = ask.authorize(MANAGE)
    ask.waba(token, ask.path[0])
    return answer_json({"data": [{"id": token.user_id, "name": "System user", "tasks": ["MANAGE"]}]})


# -- apps and tokens


def _app(ask: Ask) -> Answer:
    token = ask.authorize()
    if token.app_id != ask.path[0]:
        raise unknown_object(ask.path[0])
    app = ask.world.apps[token.app_id]
    return answer_json({"id": app.id, "name": app.name})


def _debug_token(ask: Ask) -> Answer:
    """https://developers.facebook.com/docs/graph-api/reference/debug_token"""
    _inspector(ask)
    inspected = ask.world.tokens.get(str(ask.params.get("input_token")))
    if inspected is None:
        error = {"code": 190, "message": "Invalid OAuth access token data.", "subcode": 467}
        return answer_json({"data": {"error": error, "is_valid": False, "scopes": []}})
    return answer_json({"data": _debugged(ask.world, inspected)})


def _inspector(ask: Ask) -> None:
    """An app token `id|secret`, or any living token. Raises Refusal."""
    app_id, has_secret, secret = str(ask.token or "").partition("|")
    app = ask.world.apps.get(app_id)
    if not has_secret or app is None or app.secret != secret:
        ask.authorize()


def _debugged(world: World, token: Token) -> dict[str, Any]:
    app = world.apps[token.app_id]
    expired = token.expires_at is not None and world.now() >= token.expires_at
    targets = {} if token.wabas is None else {"target_ids": sorted(token.wabas)}
    data: dict[str, Any] = {
        "app_id": app.id,
        "type": "SYSTEM_USER",
        "application": app.name,
        "data_access_expires_at": 0,
        "expires_at": int(token.expires_at.timestamp()) if token.expires_at is not None else 0,
        "is_valid": not (expired or token.revoked),
        "scopes": list(token.scopes),
        "granular_scopes": [{"scope": scope} | targets for scope in token.scopes],
        "user_id": token.user_id,
    }
    if not data["is_valid"]:
        text = "Session has expired." if expired else "The session has been invalidated."
        data["error"] = {"code": 190, "message": text, "subcode": 463 if expired else 460}
    return data


def _access_token(ask: Ask) -> Answer:
    app = ask.world.apps.get(str(ask.params.get("client_id")))
    if app is None or app.secret != ask.params.get("client_secret"):
        raise Refusal(101, message="Error validating application.", status=400)
    return answer_json({"access_token": f"{app.id}|{app.secret}", "token_type": "bearer"})


def _set_subscriptions(ask: Ask) -> Answer:
    """The app's own callback URL; wants an app token."""
    app = ask.world.apps[ask.path[0]]
    if ask.token != f"{app.id}|{app.secret}":
        raise Refusal(15, message="(#15) This method must be called with an app access_token.", status=400)
    app.callback_url = str(ask.params.get("callback_url") or "") or None
    return success(ask.world)


Entry = tuple[str | Callable[[Ask], str], bool, Handler]

WABA_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.waba", False, _waba),
    ("GET", "phone_numbers"): ("get.numbers", False, _numbers),
    ("GET", "subscribed_apps"): ("get.subscribed_apps", False, _subscribed_apps),
    ("POST", "subscribed_apps"): ("subscribe", True, _subscribe),
    ("DELETE", "subscribed_apps"): ("unsubscribe", True, _unsubscribe),
    ("GET", "message_templates"): ("get.templates", False, _templates),
    ("GET", "assigned_users"): ("get.assigned_users", False, _assigned_users),
}
APP_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.app", False, _app),
    ("POST", "subscriptions"): ("set_subscriptions", True, _set_subscriptions),
}
