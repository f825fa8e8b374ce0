"""An On-Premises client on the wire: `/onprem/<instance id>/v1/...`, its envelope, and who may call what.

https://developers.facebook.com/docs/whatsapp/on-premises/reference
https://developers.facebook.com/docs/whatsapp/api/users/login (tokens)
Routes that do not exist answer 404, among them `DELETE /v1/account`: On-Premises has no deregister call.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable
from typing import Any

from migration.sandbox import deployments
from migration.sandbox.errors import NobodyThere, OnPremRefusal
from migration.sandbox.instance import TOKEN_LIFE
from migration.sandbox.onprem_nodes import NODES, Handler
from migration.sandbox.onprem_visit import Visit
from migration.sandbox.wire import Answer, Request, Target
from migration.sandbox.world import World

DEFAULT_PASSWORD = "secret"
SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


def identify(world: World, request: Request) -> Target:
    """What this call is; the deployment may turn out not to answer at all when it runs."""
    parts = request.parts[1:]
    instance = world.instances.get(parts[0]) if parts else None
    path = tuple(parts[1:])
    if path[:1] == ("v1",):
        path = path[1:]
    elif path != ("metrics",):  # documented without the version in front; everything else has it
        path = ("", *path)
    name, write, admin, run = _find(request.method, path)
    if instance is None:
        return Target("onprem", name, _nobody, write)
    visit = Visit(world, instance, request, path)
    number = world.number_of(instance)
    return Target("onprem", name, lambda: _answer(visit, admin, run), write, number)


def _nobody() -> Answer:
    raise NobodyThere


OPEN = frozenset({("users", "login")})
# `Authorization: Apikey` is taken on these only.
APIKEY = frozenset({"health", "metrics", "stats"})


def _find(method: str, path: tuple[str, ...]) -> tuple[str, bool, bool, Handler]:
    if (method, path) == ("POST", ("users", "login")):
        return "onprem.login", False, False, _login
    if (method, path) == ("POST", ("users", "logout")):
        return "onprem.logout", False, False, _logout
    found = NODES.get((method, "/".join(path)))
    if found is None and len(path) == 2:
        found = NODES.get((method, f"{path[0]}/*"))
    if found is None:
        return "onprem.unknown", method != "GET", False, _unknown
    name, write, admin, run = found
    return f"onprem.{name}", write, admin, run


def _unknown(visit: Visit) -> tuple[int, Any]:
    raise OnPremRefusal(1006, f"URL path not found: /v1/{'/'.join(visit.path)}")


def _answer(visit: Visit, admin: bool, run: Handler) -> Answer:
    deployments.answers(visit.world, visit.instance)
    try:
        if run is not _login and run is not _unknown:
            _authenticate(visit, admin)
        status, payload = run(visit)
    except OnPremRefusal as refusal:
        error = {"code": refusal.code, "title": refusal.title, "details": refusal.details}
        return _envelope(visit, refusal.status, {"errors": [error]}, code=refusal.code)
    if isinstance(payload, bytes):
        return Answer(status, payload, {"content-type": "image/jpeg"})
    return _envelope(visit, status, payload)


def _envelope(visit: Visit, status: int, payload: dict[str, Any] | None, code: int | None = None) -> Answer:
    """A body of `null` stays one: several calls succeed with nothing in it."""
    version = visit.instance.version
    if visit.world.switches.meta_version == "v":
        version = f"v{version}"
    whole = None if payload is None else payload | {"meta": {"version": version, "api_status": "stable"}}
    body = json.dumps(whole).encode()
    headers = {"content-type": "application/json"}
    if status == 401:
        headers["www-authenticate"] = 'Basic realm="WhatsApp"'
    return Answer(status, body, headers, effect=code is None, code=code)


# -- who calls


def _authenticate(visit: Visit, admin: bool) -> None:
    """Raises 1005."""
    scheme, _, value = visit.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "apikey" and visit.path[0] in APIKEY:
        if visit.instance.api_key is None or value.strip() != visit.instance.api_key:
            raise OnPremRefusal(1005, "Invalid credentials.")
        return
    known = visit.instance.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if known is None or visit.world.now() >= known[1] or known[0] not in visit.instance.users:
        raise OnPremRefusal(1005, "Invalid credentials.")
    visit.user = visit.instance.users[known[0]]
    if admin and not visit.user.admin:
        raise OnPremRefusal(1005, "Admin access is required.", 403)


def _login(visit: Visit) -> tuple[int, Any]:
    """Basic credentials for a token of 7 days; with the shipped password only together with a new one."""
    name, password = _basic(visit.request)
    user = visit.instance.users.get(name)
    if user is None or user.password != password:
        raise OnPremRefusal(1005, "Invalid credentials.")
    new = visit.body.get("new_password")
    if user.must_change and not new:
        raise OnPremRefusal(1024, "Change the password by sending new_password.")
    if new:
        if not strong(str(new)):
            raise OnPremRefusal(1009, "The password does not meet the rules.")
        user.password, user.must_change = str(new), False
    return 200, {"users": [_issue(visit, name)]}


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise OnPremRefusal(1005, "Invalid credentials.") from None
    if scheme.lower() != "basic":
        raise OnPremRefusal(1005, "Invalid credentials.")
    return name, password


def _issue(visit: Visit, name: str) -> dict[str, str]:
    instance, ends = visit.instance, visit.world.now() + TOKEN_LIFE
    instance.issued += 1
    digest = hashlib.sha256(f"{visit.world.seed}:{instance.id}:{instance.issued}".encode()).hexdigest()
    token = f"eyJhbGciOi.{digest}"
    instance.tokens[token] = (name, ends)
    return {"token": token, "expires_after": ends.strftime("%Y-%m-%d %H:%M:%S+00:00")}


def strong(password: str) -> bool:
    """8 to 64 characters with a digit, an upper, a lower and a special one."""
    kinds: tuple[Callable[[str], bool], ...] = (
        str.isdigit,
        str.isupper,
        str.islower,
        lambda one: one in SPECIAL,
    )
    return 8 <= len(password) <= 64 and all(any(kind(one) for one in password) for kind in kinds)


def _logout(visit: Visit) -> tuple[int, Any]:
    _, _, token = visit.request.headers["authorization"].partition(" ")
    visit.instance.tokens.pop(token.strip(), None)
    return 200, {}
