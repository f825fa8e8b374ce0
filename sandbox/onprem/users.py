"""Users of an On-Premises client: login, tokens, and who may do what.

https://developers.facebook.com/docs/whatsapp/api/users/login (first login, password rule)
https://developers.facebook.com/docs/whatsapp/on-premises/reference/users
"""

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any

from sandbox.errors import OnPremRefusal
from sandbox.onprem.call import Visit
from sandbox.wire import Request
from sandbox.world.instance import TOKEN_LIFE, User

SPECIAL = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
# `Authorization: Apikey` is taken on these only.
APIKEY = frozenset({"health", "metrics", "stats"})


def authenticate(visit: Visit, admin: bool) -> None:
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
        raise _no_admin(visit)


def _no_admin(visit: Visit) -> OnPremRefusal:
    return OnPremRefusal(1005, "Admin access is required.", visit.world.switches.non_admin_status, fixed=True)


def login(visit: Visit) -> tuple[int, Any]:
    """Basic credentials for a token of 7 days; with the shipped password only together with a new one."""
    name, password = _basic(visit.request)
    found = visit.instance.users.get(name)
    if found is None or found.password != password:
        raise OnPremRefusal(1005, "Invalid credentials.")
    new = visit.body.get("new_password")
    if found.must_change and not new:
        raise OnPremRefusal(visit.world.switches.first_login_code, "Change the password by sending new_password.")
    if new:
        found.password, found.must_change = _password(new), False
    return 200, {"users": [_issue(visit, name)]}


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):  # no base64, or no text in it
        raise OnPremRefusal(1005, "Invalid credentials.") from None
    if scheme.lower() != "basic":
        raise OnPremRefusal(1005, "Invalid credentials.")
    return name, password


def _issue(visit: Visit, name: str) -> dict[str, str]:
    instance, ends = visit.instance, visit.world.now() + TOKEN_LIFE
    if visit.world.switches.old_login_tokens == "die":
        instance.tokens = {token: known for token, known in instance.tokens.items() if known[0] != name}
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


def _password(given: Any) -> str:
    if not isinstance(given, str) or not strong(given):
        raise OnPremRefusal(1009, "The password does not meet the rules.")
    return given


def logout(visit: Visit) -> tuple[int, Any]:
    """What dies by it is undocumented: this token, all of its user's, or none before its time."""
    rule, tokens = visit.world.switches.logout_ends, visit.instance.tokens
    token = visit.request.headers["authorization"].partition(" ")[2].strip()
    if rule == "all":
        name = tokens[token][0]
        visit.instance.tokens = {one: known for one, known in tokens.items() if known[0] != name}
    elif rule == "this":
        del tokens[token]
    return 200, {}


# -- the node


def create(visit: Visit) -> tuple[int, Any]:
    name = visit.body.get("username")
    if not isinstance(name, str) or not 4 <= len(name) <= 32:
        raise OnPremRefusal(1009, "Parameter 'username' must have 4 to 32 characters")
    password = _password(visit.body.get("password"))
    if name in visit.instance.users:
        raise OnPremRefusal(1014, "Unable to create user. Already exist?", 400)
    visit.instance.users[name] = User(password, admin=False)
    return 201, {"users": [{"username": name}]}


def _named(visit: Visit) -> str:
    name = visit.path[1]
    if name not in visit.instance.users:
        raise OnPremRefusal(1006, "unknown user")
    return name


def show(visit: Visit) -> tuple[int, Any]:
    name = _named(visit)
    role = "ROLE_ADMIN" if visit.instance.users[name].admin else "ROLE_USER"
    return 200, {"users": [{"username": name, "ROLES": role}]}


def change(visit: Visit) -> tuple[int, Any]:
    """Only an admin creates and deletes users; a password changes its owner, too."""
    asks = visit.user
    if asks is not None and not asks.admin and visit.instance.users.get(visit.path[1]) is not asks:
        raise _no_admin(visit)
    visit.instance.users[_named(visit)].password = _password(visit.body.get("password"))
    return 200, {}


def delete(visit: Visit) -> tuple[int, Any]:
    name = _named(visit)
    if visit.instance.users[name].admin:
        raise OnPremRefusal(1009, "The admin cannot be deleted")
    del visit.instance.users[name]
    return 200, {}
