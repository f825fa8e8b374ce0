"""Users of an On-Premises client: login, tokens, access rights.

https://developers.facebook.com/docs/whatsapp/api/users/login (first login, password rule)
https://developers.facebook.com/docs/whatsapp/on-premises/reference/users
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import OnPremCall
from sandbox.wire import Request
from sandbox.world.instance import TOKEN_LIFE, User

SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
# `Authorization: Apikey` works for these only.
APIKEY = frozenset({"health", "metrics", "stats"})


def authenticate(call: OnPremCall, admin: bool) -> None:
    """Sets the call's user. Raises 1005."""
    scheme, _, value = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "apikey" and call.path[0] in APIKEY:
        if call.instance.api_key is None or value.strip() != call.instance.api_key:
            raise OnPremRefusal(1005, "Invalid credentials.")
        return
    known = call.instance.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if known is None or call.world.now() >= known[1] or known[0] not in call.instance.users:
        raise OnPremRefusal(1005, "Invalid credentials.")
    call.user = call.instance.users[known[0]]
    if admin and not call.user.admin:
        raise _admin_required(call)


def _admin_required(call: OnPremCall) -> OnPremRefusal:
    return OnPremRefusal(1005, "Admin access is required.", call.world.switches.non_admin_status, fixed=True)


def login(call: OnPremCall) -> tuple[int, Any]:
    """Exchanges basic credentials for a token of 7 days. The shipped password needs a new one beside it."""
    name, password = _basic(call.request)
    user = call.instance.users.get(name)
    if user is None or user.password != password:
        raise OnPremRefusal(1005, "Invalid credentials.")
    new = call.body.get("new_password")
    if user.must_change and not new:
        raise OnPremRefusal(call.world.switches.first_login_code, "Change the password by sending new_password.")
    if new:
        user.password, user.must_change = _strong_password(new), False
    return 200, {"users": [_issue(call, name)]}


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):  # no base64, or no text in it
        raise OnPremRefusal(1005, "Invalid credentials.") from None
    if scheme.lower() != "basic":
        raise OnPremRefusal(1005, "Invalid credentials.")
    return name, password


def _issue(call: OnPremCall, name: str) -> dict[str, str]:
    instance, ends = call.instance, call.world.now() + TOKEN_LIFE
    if call.world.switches.old_login_tokens == "die":
        instance.tokens = {token: known for token, known in instance.tokens.items() if known[0] != name}
    instance.issued += 1
    digest = hashlib.sha256(f"{call.world.seed}:{instance.id}:{instance.issued}".encode()).hexdigest()
    token = f"eyJhbGciOi.{digest}"
    instance.tokens[token] = (name, ends)
    return {"token": token, "expires_after": ends.strftime("%Y-%m-%d %H:%M:%S+00:00")}


def strong(password: str) -> bool:
    """8 to 64 characters with a digit, an upper, a lower and a special one."""
    kinds: tuple[Callable[[str], bool], ...] = (
        str.isdigit,
        str.isupper,
        str.islower,
        SPECIAL.__contains__,
    )
    return 8 <= len(password) <= 64 and all(any(kind(char) for char in password) for kind in kinds)


def _strong_password(password: Any) -> str:
    """Raises 1009 for a password that breaks the rules."""
    if not isinstance(password, str) or not strong(password):
        raise OnPremRefusal(1009, "The password does not meet the rules.")
    return password


def logout(call: OnPremCall) -> tuple[int, Any]:
    """Which tokens it ends is undocumented: this one, all of its user's, or none: switch `logout_ends`."""
    rule, tokens = call.world.switches.logout_ends, call.instance.tokens
    token = call.request.headers["authorization"].partition(" ")[2].strip()
    if rule == "all":
        name = tokens[token][0]
        call.instance.tokens = {other: known for other, known in tokens.items() if known[0] != name}
    elif rule == "this":
        del tokens[token]
    return 200, {}


# -- users


def create(call: OnPremCall) -> tuple[int, Any]:
    name = call.body.get("username")
    if not isinstance(name, str) or not 4 <= len(name) <= 32:
        raise OnPremRefusal(1009, "Parameter 'username' must have 4 to 32 characters")
    password = _strong_password(call.body.get("password"))
    if name in call.instance.users:
        raise OnPremRefusal(1014, "Unable to create user. Already exist?", 400)
    call.instance.users[name] = User(password, admin=False)
    return 201, {"users": [{"username": name}]}


def _named(call: OnPremCall) -> str:
    name = call.path[1]
    if name not in call.instance.users:
        raise OnPremRefusal(1006, "unknown user")
    return name


def show(call: OnPremCall) -> tuple[int, Any]:
    name = _named(call)
    role = "ROLE_ADMIN" if call.instance.users[name].admin else "ROLE_USER"
    return 200, {"users": [{"username": name, "ROLES": role}]}


def change(call: OnPremCall) -> tuple[int, Any]:
    """A user may change their own password; the rest needs an admin."""
    user = call.user
    if user is not None and not user.admin and call.instance.users.get(call.path[1]) is not user:
        raise _admin_required(call)
    call.instance.users[_named(call)].password = _strong_password(call.body.get("password"))
    return 200, {}


def delete(call: OnPremCall) -> tuple[int, Any]:
    name = _named(call)
    if call.instance.users[name].admin:
        raise OnPremRefusal(1009, "The admin cannot be deleted")
    del call.instance.users[name]
    return 200, {}
