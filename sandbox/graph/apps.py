"""Graph calls on apps and tokens."""

from collections.abc import Mapping
from typing import Any

from sandbox.errors import Refusal, unknown_object
from sandbox.graph.access import Ask, Entry, callback_url, success, verified
from sandbox.graph.field_tree import Shape, names, only, parse
from sandbox.wire import Answer, answer_json
from sandbox.world import credentials
from sandbox.world.accounts import App, Token
from sandbox.world.uploads import MOST_BYTES, TYPES, Session
from sandbox.world.world import World

NAMED: Shape = dict.fromkeys(("id", "name"))
SYSTEM_USER = "System user"


def _app(ask: Ask) -> Answer:
    token = ask.authorize()
    if token.app_id != ask.path[0]:
        raise unknown_object(ask.path[0])
    return answer_json(_named(ask, token.app_id, ask.world.apps[token.app_id].name))


def me(ask: Ask) -> Answer:
    """Whose token it is: the system user's, or the app's own."""
    token = ask.authorize()
    if token.value in ask.world.tokens:
        return answer_json(_named(ask, token.user_id, SYSTEM_USER))
    return answer_json(_named(ask, token.app_id, ask.world.apps[token.app_id].name))


def _named(ask: Ask, node: str, name: str) -> dict[str, Any]:
    """Raises Refusal for a field that does not exist."""
    wanted = parse(ask.params["fields"]) if ask.params.get("fields") else names("id", "name")
    return {**only({"id": node, "name": name}, wanted, NAMED), "id": node}


def debug_token(ask: Ask) -> Answer:
    """https://developers.facebook.com/docs/graph-api/reference/debug_token"""
    viewer, given = ask.authorize(), ask.params.get("input_token")
    if not given:
        raise Refusal(100, message="(#100) The parameter input_token is required.")
    inspected = ask.world.tokens.get(str(given)) or ask.as_app(str(given))
    if inspected is not None and inspected.app_id != viewer.app_id:
        raise Refusal(100, message="(#100) The App_id in the input_token did not match the Viewing App")
    if inspected is None:
        error = {"code": 190, "message": "Invalid OAuth access token data.", "subcode": 467}
        return answer_json({"data": {"error": error, "is_valid": False, "scopes": []}})
    return answer_json({"data": _debugged(ask.world, inspected)})


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


def access_token(ask: Ask) -> Answer:
    """The app's own token, or a business's for the code that Embedded Signup gave.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/embedded-signup/onboarding-customers-as-a-solution-partner
    """
    app = ask.world.apps.get(str(ask.params.get("client_id")))
    if app is None or app.secret != ask.params.get("client_secret"):
        raise Refusal(101, message="Error validating application.", status=400)
    if "code" in ask.params:
        token = credentials.exchange(ask.world, app, str(ask.params["code"]))
        return answer_json({"access_token": token.value, "token_type": "bearer"}, effect=True)
    return answer_json({"access_token": f"{app.id}|{app.secret}", "token_type": "bearer"})


OURS = "whatsapp_business_account"


def _own_app(ask: Ask) -> App:
    """The app, to itself alone. Raises Refusal."""
    app = ask.world.apps[ask.path[0]]
    if ask.authorize().value != f"{app.id}|{app.secret}":
        raise Refusal(15, message="(#15) This method must be called with an app access_token.", status=400)
    return app


def _set_subscriptions(ask: Ask) -> Answer:
    """The app's own callback URL, one for each kind of object; wants an app token.

    https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/
    """
    app, of = _own_app(ask), ask.params.get("object")
    if not isinstance(of, str) or not of:
        raise Refusal(100, message="(#100) The parameter object is required.")
    url = callback_url(ask.params.get("callback_url"))
    names = frozenset(str(ask.params.get("fields") or "").replace(" ", "").split(",")) - {""}

    def change() -> Answer:
        if of == OURS:
            app.callback_url, app.fields = url, names
        else:
            app.other[of] = {"callback_url": url, "fields": names}
        return success(ask.world)

    return verified(ask, url, ask.params.get("verify_token"), change)


def _subscriptions(ask: Ask) -> Answer:
    app = _own_app(ask)
    ours = {OURS: {"callback_url": app.callback_url, "fields": app.fields}} if app.callback_url is not None else {}
    rows = [
        {
            "object": of,
            "callback_url": told["callback_url"],
            "active": True,
            "fields": [{"name": name, "version": "v25.0"} for name in sorted(told["fields"])],
        }
        for of, told in (ours | app.other).items()
    ]
    return answer_json({"data": rows})


def _end_subscriptions(ask: Ask) -> Answer:
    """Of one kind of object, or of all."""
    app, of = _own_app(ask), ask.params.get("object")
    if of is None or of == OURS:
        app.callback_url, app.fields = None, frozenset()
    if of is None:
        app.other.clear()
    else:
        app.other.pop(str(of), None)
    return success(ask.world)


# -- pictures: https://developers.facebook.com/docs/graph-api/guides/upload


def _begin_upload(ask: Ask) -> Answer:
    """Step 1: a session. `file_length` in bytes."""
    token = ask.authorize()
    if token.app_id != ask.path[0]:
        raise unknown_object(ask.path[0])
    length, kind = str(ask.params.get("file_length", "")), str(ask.params.get("file_type", ""))
    if not length.isdecimal() or not 0 < int(length) <= MOST_BYTES:
        raise Refusal(100, "Param file_length must be a positive number of bytes.")
    if kind not in TYPES:
        raise Refusal(100, "Param file_type is not a supported type.")
    return answer_json({"id": ask.world.uploads.begin(token.app_id, int(length), kind).id}, effect=True)


def _session(ask: Ask) -> Session:
    """The session, to who began it."""
    token = ask.authorize()
    session = ask.world.uploads.sessions.get(ask.path[0])
    if session is None or session.app_id != token.app_id:
        raise unknown_object(ask.path[0])
    return session


def _upload(ask: Ask) -> Answer:
    """Step 2: bytes from `file_offset` on; the last of them give the handle `h`."""
    session = _session(ask)
    if ask.request.headers.get("file_offset", "0") != str(session.offset):
        raise Refusal(100, f"Header file_offset must be {session.offset}.")
    size = len(ask.request.body)
    if not size or session.offset + size > session.length:
        raise Refusal(100, "The file is not as long as it was said to be.")
    handle = ask.world.uploads.add(session, size)
    told = {"id": session.id, "file_offset": session.offset} if handle is None else {"h": handle}
    return answer_json(told, effect=True)


def _upload_state(ask: Ask) -> Answer:
    session = _session(ask)
    return answer_json({"id": session.id, "file_offset": session.offset})


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
