"""One On-Premises instance: what its Webapp answers, and what a silence means.

https://developers.facebook.com/docs/whatsapp/on-premises/reference (per method)
Almost any body may come with a success: `null`, `{}` or `meta` alone.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph_models import Profile
from migration.clients.http import BACKUP, NEVER_LEFT, ORDINARY, READING, SEND_BY
from migration.clients.masking import without_numbers
from migration.clients.onprem_parsing import envelope_error, expiry, gateway, profile_of, queued
from migration.errors import CredentialsRefused, MigrationError, OutcomeUnknown, Rejected, Transient

# "Password change required"; asked for at the first login with the default password.
FIRST_LOGIN = 1024
# A token lives 7 days; renewed a day early. https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
TOKEN_LIFE = timedelta(days=6)
# How httpcore says that a connection was closed before the first byte of an answer.
SHUT_AT_ONCE = "without sending a response"


class Reading(StrEnum):
    """What one look at an instance showed."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"  # the client itself says that it is not connected or not registered
    REFUSED = "refused"  # nobody listens there
    UNREACHABLE = "unreachable"  # anything else; proof of nothing


@dataclass(frozen=True, slots=True)
class OnPremReading:
    kind: Reading
    detail: str
    expires_at: datetime | None = None


@dataclass(slots=True)
class Session:
    """The login of one instance, kept between steps so that not every step logs in anew."""

    token: SecretStr | None = None
    until: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OnPremApi:
    def __init__(
        self,
        http: httpx.AsyncClient,
        base_url: str,
        username: str,
        password: SecretStr,
        session: Session,
        name: str,
    ) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._username = username
        self._password = password
        self._session = session
        self._name = name

    # -- readings

    async def reading(self) -> OnPremReading:
        """Health as the instance tells it, or what its silence means. Never raises; a closed door is tried twice."""
        first = await self._look()
        if first.kind is Reading.REFUSED:
            return await self._look()
        return first

    async def _look(self) -> OnPremReading:
        try:
            health = await self._get("/v1/health", timeout=READING)
            serving, detail = gateway(health)
            if serving is None:
                return OnPremReading(Reading.UNREACHABLE, detail)
            kind = Reading.SERVING if serving else Reading.NOT_SERVING
            return OnPremReading(kind, detail, await self._expiry() if serving else None)
        except Transient as exc:
            shut = _nobody_listens(exc.__cause__)
            return OnPremReading(Reading.REFUSED if shut else Reading.UNREACHABLE, str(exc))
        except MigrationError as exc:
            return OnPremReading(Reading.UNREACHABLE, str(exc))

    async def _expiry(self) -> datetime | None:
        try:
            return expiry(await self.support())
        except MigrationError:
            return None

    async def login(self) -> None:
        """Prove that the login works. Raises CredentialsRefused, or Transient when nobody answers."""
        await self._fresh_token(self._session.token)

    async def health(self) -> dict[str, Any]:
        return await self._get("/v1/health", timeout=READING)

    async def support(self) -> dict[str, Any]:
        """https://developers.facebook.com/docs/whatsapp/api/support (expiry, topology, space)"""
        return await self._get("/v1/support", timeout=READING)

    async def application_settings(self) -> dict[str, Any]:
        body = await self._get("/v1/settings/application")
        return dict((body.get("settings") or {}).get("application") or {})

    async def profile(self) -> Profile:
        business = await self._get("/v1/settings/business/profile")
        about = await self._get("/v1/settings/profile/about")
        return profile_of(business, about)

    async def callback_queue(self) -> int:
        """Callbacks that wait for delivery, over all nodes."""
        return queued(await self._get("/v1/stats/app"))

    # -- writing

    async def set_two_step(self, pin: SecretStr, *, send_by: float) -> None:
        """Set or replace the PIN; the old one is not asked for."""
        body = {"pin": pin.get_secret_value()}
        await self._send("POST", "/v1/settings/account/two-step", body, send_by=send_by)

    async def backup(self, password: SecretStr) -> SecretStr:
        """The settings backup, bound to `password`. Changes nothing at the instance, so it needs no `send_by`.

        https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
        """
        body = {"password": password.get_secret_value()}
        told = await self._send("POST", "/v1/settings/backup", body, send_by=None, timeout=BACKUP)
        data = (told.get("settings") or {}).get("data")
        if not isinstance(data, str) or not data:
            raise Transient(f"{self._name}: the backup came back empty", True)
        return SecretStr(data)

    async def restore(self, data: SecretStr, password: SecretStr, *, send_by: float) -> None:
        body = {"data": data.get_secret_value(), "password": password.get_secret_value()}
        await self._send("POST", "/v1/settings/restore", body, send_by=send_by, timeout=BACKUP)

    async def account(
        self, cc: str, national: str, method: str, cert: str, pin: SecretStr | None, *, send_by: float
    ) -> bool:
        """Ask to register the client. True: it is registered already; False: a code was sent.

        https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
        """
        body = {"cc": cc, "phone_number": national, "method": method.lower(), "cert": cert}
        if pin is not None:
            body["pin"] = pin.get_secret_value()
        answer = await self._answer("POST", "/v1/account", body, send_by, ORDINARY)
        self._accepted("POST /v1/account", answer, write=True)
        return answer.status_code == 201

    async def verify(self, code: SecretStr, *, send_by: float) -> None:
        await self._send("POST", "/v1/account/verify", {"code": code.get_secret_value()}, send_by=send_by)

    # -- the wire

    async def _get(self, path: str, *, timeout: httpx.Timeout = ORDINARY) -> dict[str, Any]:
        answer = await self._answer("GET", path, None, None, timeout)
        return self._accepted(f"GET {path}", answer, write=False)

    async def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        send_by: float | None,
        timeout: httpx.Timeout = ORDINARY,
    ) -> dict[str, Any]:
        answer = await self._answer(method, path, body, send_by, timeout)
        return self._accepted(f"{method} {path}", answer, write=send_by is not None)

    async def _answer(
        self, method: str, path: str, body: Any, send_by: float | None, timeout: httpx.Timeout
    ) -> httpx.Response:
        """One call; logged in anew and said once more where the token was not accepted, for then it had no effect."""
        token = await self._token()
        answer = await self._once(method, path, body, token, send_by, timeout)
        if answer.status_code != 401:
            return answer
        token = await self._fresh_token(token)
        return await self._once(method, path, body, token, send_by, timeout)

    async def _once(
        self,
        method: str,
        path: str,
        body: Any,
        token: SecretStr,
        send_by: float | None,
        timeout: httpx.Timeout,
    ) -> httpx.Response:
        call = f"{self._name}: {method} {path}"
        try:
            return await self._http.request(
                method,
                self._base + path,
                json=body,
                headers={"Authorization": f"Bearer {token.get_secret_value()}"},
                timeout=timeout,
                extensions={} if send_by is None else {SEND_BY: send_by},
            )
        except NEVER_LEFT as exc:
            raise Transient(f"{call}: never left ({type(exc).__name__})") from exc
        except httpx.TransportError as exc:
            if send_by is None:
                raise Transient(f"{call}: no answer ({type(exc).__name__})") from exc
            raise OutcomeUnknown(f"{call}: no answer ({type(exc).__name__})") from exc

    def _accepted(self, call: str, answer: httpx.Response, *, write: bool) -> dict[str, Any]:
        body = _json(answer)
        refused = envelope_error(f"{self._name}: {call}", answer.status_code, body, write=write)
        if refused is not None:
            raise refused
        if body is None and answer.content.strip() not in (b"", b"null"):
            # Somebody else's page, as of a proxy that wants a login: it says nothing about the call.
            said = f"{self._name}: {call}: HTTP {answer.status_code} without a readable body"
            raise OutcomeUnknown(said) if write else Transient(said, True)
        return body if isinstance(body, dict) else {}

    # -- the login

    async def _token(self) -> SecretStr:
        held = self._session
        if held.token is not None and held.until is not None and datetime.now(UTC) < held.until:
            return held.token
        return await self._fresh_token(held.token)

    async def _fresh_token(self, worn: SecretStr | None) -> SecretStr:
        async with self._session.lock:
            if self._session.token is not None and self._session.token is not worn:
                return self._session.token  # somebody else has just logged in
            self._session.token = await self._login()
            self._session.until = datetime.now(UTC) + TOKEN_LIFE
            return self._session.token

    async def _login(self) -> SecretStr:
        """https://developers.facebook.com/docs/whatsapp/api/users/login (Basic; a first login must set a password)"""
        call = f"{self._name}: POST /v1/users/login"
        auth = httpx.BasicAuth(self._username, self._password.get_secret_value())
        try:
            answer = await self._http.post(self._base + "/v1/users/login", auth=auth, timeout=READING)
        except httpx.TransportError as exc:
            raise Transient(f"{call}: no answer ({type(exc).__name__})") from exc
        body = _json(answer)
        refused = envelope_error(call, answer.status_code, body, write=False)
        if answer.status_code in (401, 403) or (isinstance(refused, Rejected) and refused.error_code == FIRST_LOGIN):
            raise _login_refused(call, self._username, refused)
        if refused is not None:
            raise refused
        try:
            token = body["users"][0]["token"]
        except (LookupError, TypeError):
            token = None
        if not token:
            raise Transient(f"{call}: answered without a token", True)
        return SecretStr(str(token))


def _login_refused(call: str, username: str, refused: MigrationError | None) -> CredentialsRefused:
    code = refused.error_code if isinstance(refused, Rejected) else None
    details = f"user {username} is not accepted"
    if code == FIRST_LOGIN:
        details = f"user {username} still has the default password; it has to be changed at the first login"
    return CredentialsRefused(f"{call}: {details}", code, details, None, None, None, "onprem")


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _nobody_listens(exc: BaseException | None) -> bool:
    """Refused, or closed before a single byte: a stopped container behind a port that still stands does the latter."""
    seen = exc
    while seen is not None:
        if isinstance(seen, ConnectionRefusedError):
            return True
        if isinstance(seen, httpx.RemoteProtocolError) and SHUT_AT_ONCE in str(seen):
            return True  # not one that broke off within its answer: somebody is there
        if isinstance(seen, BaseExceptionGroup) and any(_nobody_listens(one) for one in seen.exceptions):
            return True
        if isinstance(seen, httpx.ConnectError) and "refused" in without_numbers(str(seen)).lower():
            return True
        seen = seen.__cause__ or seen.__context__
    return False
