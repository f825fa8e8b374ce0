"""Apps and tokens: how they are made, revoked, expired and issued again.

https://developers.facebook.com/docs/facebook-login/guides/access-tokens (a token can end at any time)
https://developers.facebook.com/docs/graph-api/guides/secure-requests (an app may require `appsecret_proof`)
"""

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.errors import ControlError, Refusal
from sandbox.world.accounts import App, Token
from sandbox.world.world import World


def another_app(world: World, first: App, token: Token, at: int) -> None:
    """One more app of the same business with its own secret and token; `at` counts from 2."""
    chance = random.Random(f"{world.seed}:app:{first.id}:{at}")
    app = replace(
        first,
        id=f"9{chance.randrange(10**13, 10**14)}",
        name=f"{first.name} {at}",
        secret=f"{chance.getrandbits(128):032x}",
        verify_token=f"verify-{chance.getrandbits(64):016x}",
        fields=frozenset(),
    )
    app.meter, app.other = type(app.meter)(), {}
    world.apps[app.id] = app
    value = f"EAAG{chance.getrandbits(256):064x}"
    world.tokens[value] = replace(token, value=value, app_id=app.id, user_id=f"1{chance.randrange(10**13, 10**14)}")


def tokens_of(world: World, business_id: str) -> list[Token]:
    return [token for token in world.tokens.values() if world.apps[token.app_id].business_id == business_id]


# -- actions of people. `token` names one token, `business` all tokens of one business; without both: all tokens


def act(world: World, body: Mapping[str, Any]) -> dict[str, Any]:
    """Raises ControlError."""
    action = str(body.get("do"))
    tokens = _chosen(world, body)
    return {"done": action, "tokens": len(tokens)} | ACTIONS[action](world, tokens)


def _chosen(world: World, body: Mapping[str, Any]) -> list[Token]:
    if "token" in body:
        token = world.tokens.get(str(body["token"]))
        if token is None:
            raise ControlError(404, "no such token")
        return [token]
    if "business" not in body:
        return list(world.tokens.values())
    for business in world.businesses.values():
        if body["business"] in (business.name, business.id):
            return tokens_of(world, business.id)
    raise ControlError(404, "no such business")


def _revoke(world: World, tokens: list[Token]) -> dict[str, Any]:
    for token in tokens:
        token.revoked = True
    return {}


def _expire(world: World, tokens: list[Token]) -> dict[str, Any]:
    for token in tokens:
        token.expires_at = world.now()
    return {}


def _newest(tokens: list[Token]) -> list[Token]:
    """The token of each app and user that was issued last; it replaces the earlier ones."""
    return list({(token.app_id, token.user_id): token for token in tokens}.values())


def _issue(world: World, tokens: list[Token]) -> dict[str, Any]:
    """A new token for each user, with the same rights and no expiry. The old ones stay as they are."""
    issued = []
    for token in _newest(tokens):
        value = "EAAG" + hashlib.sha256(f"{world.seed}:{token.value}:{len(world.tokens)}".encode()).hexdigest()
        world.tokens[value] = replace(token, value=value, expires_at=None, revoked=False)
        issued.append(value)
    return {"issued": issued}


def _signup_code(world: World, tokens: list[Token]) -> dict[str, Any]:
    """The code that Embedded Signup returns: exchanged once for a token of the same app."""
    codes = {}
    for token in _newest(tokens):
        code = "AQ" + hashlib.sha256(f"{world.seed}:{token.value}:{len(world.signup_codes)}".encode()).hexdigest()
        world.signup_codes[code] = token
        codes[token.app_id] = code
    return {"codes": codes}


def exchange(world: World, app: App, code: str) -> Token:
    """The token for a signup code. Raises Refusal for a code of another app, or one that was used."""
    token = world.signup_codes.get(code)
    if token is None or token.app_id != app.id:
        raise Refusal(100, message="Invalid verification code format.", subcode=36007)
    world.signup_codes[code] = None
    [value] = _issue(world, [token])["issued"]
    return world.tokens[value]


def _require_proof(required: bool) -> "Act":
    def change(world: World, tokens: list[Token]) -> dict[str, Any]:
        for token in tokens:
            world.apps[token.app_id].requires_proof = required
        return {}

    return change


Act = Callable[[World, list[Token]], dict[str, Any]]
ACTIONS: Mapping[str, Act] = {
    "revoke_token": _revoke,
    "expire_token": _expire,
    "issue_token": _issue,
    "signup_code": _signup_code,
    "require_proof": _require_proof(required=True),
    "no_proof": _require_proof(required=False),
}
