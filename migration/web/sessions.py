"""Who asks: a named person, by a session, a named token or the header of a proxy that is named in the admin file.

A session is a signed cookie, so it outlives a restart of `serve`, and nothing of it is stored. A form carries a mark
that belongs to the session; another site can read neither.
"""

import base64
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from migration.errors import BadSetting
from migration.home.admin_file import WebSettings
from migration.scrubbing.texts import once_more
from migration.web.answers import Refused
from state.naming import MOST_PERSON
from state.record_key import RecordKey

LASTS_S = 12 * 3600.0
MIN_TOKEN = 20  # characters
MAX_ENDED = 10_000
MAX_COOKIE = 2000


@dataclass(frozen=True, slots=True)
class Session:
    """`way`: link, token or proxy. `form_mark`: what each form of this session carries. `ambient`: browsers send it."""

    name: str
    way: str
    id: str
    form_mark: str
    ambient: bool = True


class Sessions:
    """`seconds`: the wall clock. `tokens`: by the name of the operator."""

    def __init__(
        self,
        key: RecordKey,
        settings: WebSettings,
        tokens: Mapping[str, SecretStr],
        seconds: Callable[[], float],
        *,
        home_id: str,
    ) -> None:
        for name, token in tokens.items():
            if len(token.get_secret_value()) < MIN_TOKEN:
                raise BadSetting(f"web.tokens.{name}: it has fewer than {MIN_TOKEN} characters")
        self._key = key
        self._settings = settings
        self._tokens = tokens
        self._seconds = seconds
        self.cookie = f"cutover_session_{home_id[:8]}"  # a browser shares cookies between the ports of one machine
        self._ended: OrderedDict[str, None] = OrderedDict()

    def of(self, request: Request) -> Session | None:
        """Who asks, or None. Raises Refused for a header or token that nobody of ours would send."""
        return self._by_proxy(request) or self._by_bearer(request) or self._by_cookie(request)

    def named_by_token(self, typed: str) -> str | None:
        """The operator whose token this is. Every token is compared, so the time tells nothing."""
        found = None
        for name, token in self._tokens.items():
            if hmac.compare_digest(token.get_secret_value().encode(), typed.encode()):
                found = name
        return found

    @property
    def has_tokens(self) -> bool:
        return bool(self._tokens)

    def begin(self, request: Request, response: Response, name: str, way: str) -> None:
        """Give the browser a session of its own; whatever it had before counts no more."""
        until = self._seconds() + LASTS_S
        raw = json.dumps([name, way, secrets.token_hex(16), until], separators=(",", ":")).encode()
        body = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        value = f"{body}.{self._key.hash('web session', body)}"
        lasts, secure = int(LASTS_S), self._is_secure(request)
        response.set_cookie(self.cookie, value, max_age=lasts, path="/", httponly=True, samesite="lax", secure=secure)

    def _is_secure(self, request: Request) -> bool:
        """Whether the browser came by https, to the proxy that `pages_url` names."""
        site = urlsplit(self._settings.pages_url or "")
        return site.scheme == "https" and request.url.hostname == site.hostname

    def end(self, request: Request, response: Response, session: Session) -> None:
        """The cookie counts no more in this process, and the browser forgets it."""
        self._ended[session.id] = None
        while len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)
        secure = self._is_secure(request)
        response.delete_cookie(self.cookie, path="/", httponly=True, samesite="lax", secure=secure)

    def check_form(self, session: Session, mark: str) -> None:
        """Raises Refused where the form is not of this session. A token in a header is sent by no other site."""
        if session.ambient and not hmac.compare_digest(session.form_mark.encode(), mark.encode()):
            raise Refused(403, "this form is not of your session; open the page again. Nothing was changed")

    def _by_proxy(self, request: Request) -> Session | None:
        header = self._settings.proxy_header
        if header is None:
            return None
        given = request.headers.getlist(header)
        sender = request.client.host if request.client is not None else ""
        if not given or sender not in self._settings.proxy_addresses:
            return None
        if len(given) > 1:
            raise Refused(400, f"the header {header} comes twice; let the proxy replace it")
        name = once_more(given[0].strip(), MOST_PERSON)
        return self._session(name, "proxy", f"proxy:{name}") if name else None

    def _by_bearer(self, request: Request) -> Session | None:
        scheme, _, typed = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        name = self.named_by_token(typed.strip())
        if name is None:
            raise Refused(401, "no operator has this token", headers={"www-authenticate": "Bearer"})
        return self._session(name, "token", f"bearer:{name}", ambient=False)

    def _by_cookie(self, request: Request) -> Session | None:
        return self._opened(request.cookies.get(self.cookie, ""))

    def _opened(self, value: str) -> Session | None:
        body, _, signature = value.partition(".")
        if not body or len(value) > MAX_COOKIE or not value.isascii():
            return None
        if not hmac.compare_digest(self._key.hash("web session", body).encode(), signature.encode()):
            return None
        name, way, session_id, until = self._parts(body)
        if until <= self._seconds() or session_id in self._ended:
            return None
        if way == "token" and name not in self._tokens:
            return None  # the admin file does not name the person any more
        return self._session(name, way, session_id)

    def _parts(self, body: str) -> list[Any]:
        """Of a body that we have signed."""
        parts: list[Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return parts

    def _session(self, name: str, way: str, session_id: str, *, ambient: bool = True) -> Session:
        return Session(name, way, session_id, self._key.hash("web form", session_id), ambient)
