"""Graph calls on apps and tokens."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal, unknown_object
from sandbox.graph.access import Entry, GraphCall, after_handshake, callback_url, success
from sandbox.graph.field_tree import Shape, parse, plain_fields, select
from sandbox.wire import Response, json_response
from sandbox.world import credentials
from sandbox.world.accounts import App, Token
from sandbox.world.uploads import MOST_BYTES, TYPES, Session
from sandbox.world.world import World

NAMED: Shape = dict.fromkeys(("id", "name"))
SYSTEM_USER = "System user"


def _app(call: GraphCall) -> Response:
    token = call.authorize()
    if token.app_id != call.path[0]:
        raise unknown_object(call.path[0])
    return json_response(_named(call, token.app_id, call.world.apps[token.app_id].name))


def me(call: GraphCall) -> Response:
    """The owner of the token: the system user, or the app for an app token."""
    token = call.authorize()
    if token.value in call.world.tokens:
        return json_response(_named(call, token.user_id, SYSTEM_USER))
    return json_response(_named(call, token.app_id, call.world.apps[token.app_id].name))


def _named(call: GraphCall, node: str, name: str) -> dict[str, Any]:
    """Raises Refusal for a field that does not exist."""
    tree = parse(call.params["fields"]) if call.params.get("fields") else plain_fields("id", "name")
    return {**select({"id": node, "name": name}, tree, NAMED), "id": node}


def debug_token(call: GraphCall) -> Response:
    """https://developers.facebook.com/docs/graph-api/reference/debug_token"""
    viewer, value = call.authorize(), call.params.get("input_token")
    if not value:
        raise Refusal(100, message="(#100) The parameter input_token is required.")
    inspected = call.world.tokens.get(str(value)) or call.app_token(str(value))
    if inspected is not None and inspected.app_id != viewer.app_id:
        raise Refusal(100, message="(#100) The App_id in the input_token did not match the Viewing App")
    if inspected is None:
        error = {"code": 190, "message": "Invalid OAuth access token data.", "subcode": 467}
        return json_response({"data": {"error": error, "is_valid": False, "scopes": []}})
    return json_response({"data": _debugged(call.world, inspected)})


def _debugged(world: World, token: Token) -> dict[str, Any]:
    app = world.apps[token.app_id]
    if token.value not in world.tokens:
        return {"app_id": app.id, "type": "APP", "application": app.name, "is_valid": True, "scopes": []}
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


def access_token(call: GraphCall) -> Response:
    """The app's own token, or the token of a business for a code of Embedded Signup.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/onboarding-customers-as-a-solution-partner
    """
    app = call.world.apps.get(str(call.params.get("client_id")))
    if app is None or app.secret != call.params.get("client_secret"):
        raise Refusal(101, message="Error validating application.", status=400)
    if "code" in call.params:
        token = credentials.exchange(call.world, app, str(call.params["code"]))
        return json_response({"access_token": token.value, "token_type": "bearer"}, effect=True)
    return json_response({"access_token": f"{app.id}|{app.secret}", "token_type": "bearer"})


WABA_OBJECT = "whatsapp_business_account"


def _own_app(call: GraphCall) -> App:
    """The app, for its own app token only. Raises Refusal."""
    app = call.world.apps[call.path[0]]
    if call.authorize().value != f"{app.id}|{app.secret}":
        raise Refusal(15, message="(#15) This method must be called with an app access_token.", status=400)
    return app


def _set_subscriptions(call: GraphCall) -> Response:
    """Sets the app's callback URL for one kind of object; needs an app token.

    https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/
    """
    app, kind = _own_app(call), call.params.get("object")
    if not isinstance(kind, str) or not kind:
        raise Refusal(100, message="(#100) The parameter object is required.")
    url = callback_url(call.params.get("callback_url"))
    names = frozenset(str(call.params.get("fields") or "").replace(" ", "").split(",")) - {""}

    def change() -> Response:
        if kind == WABA_OBJECT:
            app.callback_url, app.fields = url, names
        else:
            app.other[kind] = {"callback_url": url, "fields": names}
        return success(call.world)

    return after_handshake(call, url, call.params.get("verify_token"), change)


def _subscriptions(call: GraphCall) -> Response:
    app = _own_app(call)
    waba = {WABA_OBJECT: {"callback_url": app.callback_url, "fields": app.fields}} if app.callback_url else {}
    rows = [
        {
            "object": kind,
            "callback_url": subscription["callback_url"],
            "active": True,
            "fields": [{"name": name, "version": "v25.0"} for name in sorted(subscription["fields"])],
        }
        for kind, subscription in (waba | app.other).items()
    ]
    return json_response({"data": rows})


def _end_subscriptions(call: GraphCall) -> Response:
    """Removes the subscription to one kind of object, or all of them."""
    app, kind = _own_app(call), call.params.get("object")
    if kind is None or kind == WABA_OBJECT:
        app.callback_url, app.fields = None, frozenset()
    if kind is None:
        app.other.clear()
    else:
        app.other.pop(str(kind), None)
    return success(call.world)


# -- pictures: https://developers.facebook.com/docs/graph-api/guides/upload


def _begin_upload(call: GraphCall) -> Response:
    """Step 1: a session. `file_length` in bytes."""
    token = call.authorize()
    if token.app_id != call.path[0]:
        raise unknown_object(call.path[0])
    length, kind = str(call.params.get("file_length", "")), str(call.params.get("file_type", ""))
    if not length.isdecimal() or not 0 < int(length) <= MOST_BYTES:
        raise Refusal(100, "Param file_length must be a positive number of bytes.")
    if kind not in TYPES:
        raise Refusal(100, "Param file_type is not a supported type.")
    return json_response({"id": call.world.uploads.begin(token.app_id, int(length), kind).id}, effect=True)


def _session(call: GraphCall) -> Session:
    """The session, for a token of the app that began it."""
    token = call.authorize()
    session = call.world.uploads.sessions.get(call.path[0])
    if session is None or session.app_id != token.app_id or not session.id.endswith(f"?sig={call.params.get('sig')}"):
        raise unknown_object(call.path[0])
    return session


def _upload(call: GraphCall) -> Response:
    """Step 2: the bytes from `file_offset` on; with the last of them the response has the handle `h`."""
    session = _session(call)
    if call.request.headers.get("file_offset", "0") != str(session.offset):
        raise Refusal(100, f"Header file_offset must be {session.offset}.")
    size = len(call.request.body)
    if not size or session.offset + size > session.length:
        raise Refusal(100, "The file is not as long as it was said to be.")
    handle = call.world.uploads.add(session, call.request.body)
    body = {"id": session.id, "file_offset": session.offset} if handle is None else {"h": handle}
    return json_response(body, effect=True)


def _upload_state(call: GraphCall) -> Response:
    session = _session(call)
    return json_response({"id": session.id, "file_offset": session.offset})


APP_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.app", False, _app),
    ("GET", "subscriptions"): ("get.subscriptions", False, _subscriptions),
    ("POST", "subscriptions"): ("set_subscriptions", True, _set_subscriptions),
    ("DELETE", "subscriptions"): ("end_subscriptions", True, _end_subscriptions),
    ("POST", "uploads"): ("upload.begin", True, _begin_upload),
}
UPLOAD_CALLS: Mapping[tuple[str, str], Entry] = {
    ("GET", ""): ("get.upload", False, _upload_state),
    ("POST", ""): ("upload", True, _upload),
}
