"""One call on Graph: its parameters, its token and rights, the version that serves it.

An expired version is served by the oldest one that still exists: https://developers.facebook.com/docs/graph-api/guides/versioning
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from sandbox.errors import Refusal, unknown_object
from sandbox.wire import Request, Response, json_response
from sandbox.world.accounts import App, Token, Waba
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Handshake
from sandbox.world.world import World

VERSION = re.compile(r"v(\d+)\.(\d+)")
# (version, the day its service ends) https://developers.facebook.com/docs/graph-api/changelog/versions/
VERSIONS: tuple[tuple[int, datetime | None], ...] = (
    (20, datetime(2026, 9, 24, tzinfo=UTC)),
    (21, datetime(2027, 1, 21, tzinfo=UTC)),
    (22, datetime(2027, 5, 20, tzinfo=UTC)),
    (23, datetime(2027, 10, 8, tzinfo=UTC)),
    (24, datetime(2028, 2, 18, tzinfo=UTC)),
    (25, datetime(2028, 7, 29, tzinfo=UTC)),
    (26, None),
)
APP_VERSION = 25  # serves a call without a version; set in the app's dashboard


def served_version(requested: str | None, now: datetime) -> str:
    """The version that serves the call: the requested one, or the nearest that exists."""
    existing = [number for number, until in VERSIONS if until is None or now < until]
    match = VERSION.fullmatch(requested) if requested is not None else None
    number = int(match.group(1)) if match is not None else APP_VERSION
    return f"v{min(max(number, existing[0]), existing[-1])}.0"


@dataclass
class GraphCall:
    """One call, as its handler gets it. `path` is without the version."""

    world: World
    request: Request
    path: list[str] = field(default_factory=list)
    version: str | None = None

    @cached_property
    def params(self) -> dict[str, Any]:
        return self.request.params()

    @property
    def token(self) -> str | None:
        # Some clients (pywa) send both for a single call as the app: the parameter wins.
        token = self.params.get("access_token") or self.request.bearer
        return None if token is None else str(token)

    def authorize(self, *scopes: str) -> Token:
        """The token, if it is valid and has these scopes. Raises Refusal."""
        token = self._known_token()
        if token.expires_at is not None and self.world.now() >= token.expires_at:
            raise _bad_token("Error validating access token: Session has expired.", 463)
        if token.revoked:
            raise _bad_token("Error validating access token: The session has been invalidated.", 460)
        missing = [scope for scope in scopes if scope not in token.scopes]
        if missing:
            raise self._missing_scope(missing[0])
        self._check_proof(token)
        return token

    def app(self) -> App:
        """The app of the token. Raises Refusal."""
        return self.world.apps[self._known_token().app_id]

    def _missing_scope(self, scope: str) -> Refusal:
        code = self.world.switches.missing_scope_code
        text = f"Requires {scope} permission" if code == 200 else "Application does not have permission for this action"
        return Refusal(code, message=f"(#{code}) {text}")

    def _known_token(self) -> Token:
        if self.token is None:
            if self.request.method == "GET":
                raise Refusal(200, message="Provide valid app ID")
            raise _bad_token("An access token is required to request this resource.", None, code=104)
        token = self.world.tokens.get(self.token) or self.app_token(self.token)
        if token is None:
            raise _bad_token("Invalid OAuth access token - Cannot parse access token", None)
        return token

    def app_token(self, text: str) -> Token | None:
        """An app token, `id|secret`: it acts for the app and has no rights on any account."""
        app_id, _, secret = text.partition("|")
        app = self.world.apps.get(app_id)
        known = app is not None and hmac.compare_digest(app.secret.encode(), secret.encode("utf-8", "replace"))
        return Token(text, app_id, scopes=(), wabas=frozenset()) if known else None

    def _check_proof(self, token: Token) -> None:
        """`appsecret_proof` is checked when it is sent. An app may require it.

        https://developers.facebook.com/docs/graph-api/guides/secure-requests (an app token needs no proof)
        """
        proof, app = self.params.get("appsecret_proof"), self.world.apps[token.app_id]
        if proof is None:
            if app.requires_proof and token.value in self.world.tokens:
                text = "API calls from the server require an appsecret_proof argument"
                raise Refusal(100, message=text, kind="GraphMethodException")
            return
        expected = hmac.new(app.secret.encode(), token.value.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), str(proof).encode("utf-8", "replace")):
            text = "Invalid appsecret_proof provided in the API argument"
            raise Refusal(100, message=text, kind="GraphMethodException")

    def number(self, *scopes: str, deleted: bool = False) -> SimNumber:
        """The number of the call, for a token with these scopes; with `deleted` also a deleted one.

        Raises Refusal: 100/33 when it does not exist or is not visible to the token, 33 when it was deleted.
        """
        token, phone_number_id = self.authorize(*scopes), self.path[0]
        number = self.world.by_phone_id(phone_number_id)
        if not self.can_see(token, self.world.wabas[number.waba_id]):
            raise unknown_object(phone_number_id)
        if number.phone_number_id != phone_number_id or (number.deleted and not deleted):
            raise Refusal(33)
        return number

    def waba(self, token: Token, waba_id: str) -> Waba:
        """Raises Refusal: 100/33 when it does not exist, 200 when the token has no access."""
        waba = self.world.wabas.get(waba_id)
        if waba is None:
            raise unknown_object(waba_id)
        if not self.can_see(token, waba):
            raise Refusal(200, message="(#200) You do not have permission to access this WhatsApp account.")
        return waba

    def can_see(self, token: Token, waba: Waba) -> bool:
        if waba.business_id != self.world.apps[token.app_id].business_id:
            return False
        return token.wabas is None or waba.id in token.wabas


class HandshakeRequired(Exception):
    """The new webhook address has to verify itself before `change` is made."""

    def __init__(self, handshake: Handshake, change: Callable[[], Response]) -> None:
        super().__init__(handshake.url)
        self.handshake = handshake
        self.change = change


# "https" and a publicly valid certificate are needed; not for a receiver on this machine.
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def callback_url(value: Any, longest: int = 2_000) -> str:
    """The URL of a webhook address. Raises Refusal for a text that cannot be one."""
    url = str(value)
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or not url.startswith(("https://", *LOOPBACK)) or len(url) > longest:
        raise Refusal(100, f"The callback must be an https URL of at most {longest} characters.")
    return url


def after_handshake(call: "GraphCall", url: str, verify_token: Any, change: Callable[[], Response]) -> Response:
    """Makes the change, if no handshake is needed. Raises HandshakeRequired when one is.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
    """
    if call.world.switches.webhook_handshake == "no":
        return change()
    digest = hashlib.sha256(f"{call.world.seed}:challenge:{len(call.world.log)}".encode()).hexdigest()
    raise HandshakeRequired(Handshake(url, str(verify_token or ""), str(int(digest[:8], 16))), change)


def _bad_token(text: str, subcode: int | None, code: int = 190) -> Refusal:
    return Refusal(code, message=text, subcode=subcode, status=401)


Handler = Callable[[GraphCall], Response]
# (name of the call, or a function of its parameters that gives it; whether it writes; handler)
Entry = tuple[str | Callable[[GraphCall], str], bool, Handler]


def success(world: World, takes_s: float = 0.0) -> Response:
    """`{"success": true}`, or the text "true" that older pages show."""
    response = json_response({"success": "true" if world.switches.success_as == "string" else True}, effect=True)
    response.takes_s = takes_s
    return response
