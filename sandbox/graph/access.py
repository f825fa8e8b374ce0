"""Who may call what on Graph, and which version answers.

An expired version is served by the oldest living one: https://developers.facebook.com/docs/graph-api/guides/versioning
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
from sandbox.wire import Answer, Request, answer_json
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
APP_VERSION = 25  # what an unversioned call gets: set in the app's dashboard


def served_version(asked: str | None, now: datetime) -> str:
    """The version that answers: the one asked for, or the nearest that is alive."""
    alive = [number for number, until in VERSIONS if until is None or now < until]
    wanted = VERSION.fullmatch(asked) if asked is not None else None
    number = int(wanted.group(1)) if wanted is not None else APP_VERSION
    return f"v{min(max(number, alive[0]), alive[-1])}.0"


@dataclass
class Ask:
    """One Graph call on its way to its handler."""

    world: World
    request: Request
    path: list[str] = field(default_factory=list)
    version: str | None = None

    @cached_property
    def params(self) -> dict[str, Any]:
        return self.request.params()

    @property
    def token(self) -> str | None:
        # Clients send both when they act as the app for once (pywa does): the parameter wins.
        given = self.params.get("access_token") or self.request.bearer
        return None if given is None else str(given)

    def authorize(self, *scopes: str) -> Token:
        """The token, alive and with these scopes. Raises Refusal."""
        token = self._known()
        if token.expires_at is not None and self.world.now() >= token.expires_at:
            raise _bad_token("Error validating access token: Session has expired.", 463)
        if token.revoked:
            raise _bad_token("Error validating access token: The session has been invalidated.", 460)
        missing = [scope for scope in scopes if scope not in token.scopes]
        if missing:
            raise self._lacks(missing[0])
        self._proof(token)
        return token

    def app(self) -> App:
        """Whose token it is. Raises Refusal."""
        return self.world.apps[self._known().app_id]

    def _lacks(self, scope: str) -> Refusal:
        code = self.world.switches.missing_scope_code
        text = f"Requires {scope} permission" if code == 200 else "Application does not have permission for this action"
        return Refusal(code, message=f"(#{code}) {text}")

    def _known(self) -> Token:
        if self.token is None:
            if self.request.method == "GET":
                raise Refusal(200, message="Provide valid app ID")
            raise _bad_token("An access token is required to request this resource.", None, code=104)
        token = self.world.tokens.get(self.token) or self.as_app(self.token)
        if token is None:
            raise _bad_token("Invalid OAuth access token - Cannot parse access token", None)
        return token

    def as_app(self, given: str) -> Token | None:
        """An app token, `id|secret`: it acts for the app and may do nothing for any account."""
        app_id, _, secret = given.partition("|")
        app = self.world.apps.get(app_id)
        known = app is not None and hmac.compare_digest(app.secret.encode(), secret.encode("utf-8", "replace"))
        return Token(given, app_id, scopes=(), wabas=frozenset()) if known else None

    def _proof(self, token: Token) -> None:
        """`appsecret_proof` is checked where it is sent, and has to be where the app says so.

        https://developers.facebook.com/docs/graph-api/guides/secure-requests; an app token is its own proof.
        """
        proof, app = self.params.get("appsecret_proof"), self.world.apps[token.app_id]
        if proof is None:
            if app.requires_proof and token.value in self.world.tokens:
                text = "API calls from the server require an appsecret_proof argument"
                raise Refusal(100, message=text, kind="GraphMethodException")
            return
        wanted = hmac.new(app.secret.encode(), token.value.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), str(proof).encode("utf-8", "replace")):
            text = "Invalid appsecret_proof provided in the API argument"
            raise Refusal(100, message=text, kind="GraphMethodException")

    def number(self, *scopes: str, deleted: bool = False) -> SimNumber:
        """The number that the call is on, to a token with these scopes; with `deleted` also one that is deleted.

        Raises Refusal: 100/33 where it is absent or not this token's, 33 where it was deleted.
        """
        token, told = self.authorize(*scopes), self.path[0]
        number = self.world.by_phone_id(told)
        if not self.sees(token, self.world.wabas[number.waba_id]):
            raise unknown_object(told)
        if number.phone_number_id != told or (number.deleted and not deleted):
            raise Refusal(33)
        return number

    def waba(self, token: Token, waba_id: str) -> Waba:
        """Raises Refusal: 100/33 where it is absent, 200 where the token was not given access."""
        waba = self.world.wabas.get(waba_id)
        if waba is None:
            raise unknown_object(waba_id)
        if not self.sees(token, waba):
            raise Refusal(200, message="(#200) You do not have permission to access this WhatsApp account.")
        return waba

    def sees(self, token: Token, waba: Waba) -> bool:
        if waba.business_id != self.world.apps[token.app_id].business_id:
            return False
        return token.wabas is None or waba.id in token.wabas


class AsksFirst(Exception):
    """The address has to verify itself before `then` makes the change."""

    def __init__(self, handshake: Handshake, then: Callable[[], Answer]) -> None:
        super().__init__(handshake.url)
        self.handshake = handshake
        self.then = then


# "https" and a certificate that is publicly valid; a receiver on this machine may do without.
LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def callback_url(value: Any, longest: int = 2_000) -> str:
    """Raises Refusal for what cannot be an address of webhooks."""
    url = str(value)
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host or not url.startswith(("https://", *LOOPBACK)) or len(url) > longest:
        raise Refusal(100, f"The callback must be an https URL of at most {longest} characters.")
    return url


def verified(ask: "Ask", url: str, verify_token: Any, then: Callable[[], Answer]) -> Answer:
    """Makes the change, or first has the address verify itself. Raises AsksFirst.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
    """
    if ask.world.switches.webhook_handshake == "no":
        return then()
    digest = hashlib.sha256(f"{ask.world.seed}:challenge:{len(ask.world.log)}".encode()).hexdigest()
    raise AsksFirst(Handshake(url, str(verify_token or ""), str(int(digest[:8], 16))), then)


def _bad_token(text: str, subcode: int | None, code: int = 190) -> Refusal:
    return Refusal(code, message=text, subcode=subcode, status=401)


Handler = Callable[[Ask], Answer]
# (short name, or what makes it of the parameters; whether it writes; handler)
Entry = tuple[str | Callable[[Ask], str], bool, Handler]


def success(world: World, takes_s: float = 0.0) -> Answer:
    """`true`, or the string that older pages show."""
    answer = answer_json({"success": "true" if world.switches.success_as == "string" else True}, effect=True)
    answer.takes_s = takes_s
    return answer
