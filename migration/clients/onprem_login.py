"""The login at one On-Premises instance.

https://developers.facebook.com/docs/whatsapp/api/users/login (Basic; a first login must set a password)
"""

import asyncio
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from migration.clients.deadline import cut_at
from migration.clients.http import READING_S, HttpClient, transport_errors
from migration.clients.json_values import inside
from migration.clients.onprem_parsing import envelope_error, is_of_proxy
from migration.errors import CredentialsRefused, MigrationError, Rejected, Transient
from migration.scrubbing.texts import Fields, Scrubber, as_safe

# "Password change required": the response to a login with the default password.
FIRST_LOGIN = 1024
# A token lives 7 days; renewed a day early. https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
FIELDS = Fields(secret=frozenset(("token",)))
TOKEN_LIFE = timedelta(days=6)


@dataclass(slots=True)
class LoginSession:
    """The token of one instance, and what it has said of itself. Shared between steps: not every step asks again.

    `named`: the numbers for which it said last that it is registered; None: it has not said it yet.
    """

    token: SecretStr | None = None
    renew_at: datetime | None = None
    named: frozenset[str] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class OnPremLogin:
    """Gives the token of one instance; logs in where there is none, or where it has to be renewed.

    Raises CredentialsRefused, or Transient where the instance does not answer.
    """

    def __init__(
        self,
        client: HttpClient,
        base_url: str,
        username: str,
        password: SecretStr,
        session: LoginSession,
        instance: str,
    ) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/v1/users/login"
        self._username = username
        self._password = password
        self._session = session
        self._call = f"{instance}: POST /v1/users/login"

    async def token(self, by: float) -> SecretStr:
        """`by`: the deadline of the call that needs it; a log-in is part of that call."""
        token, renew_at = self._session.token, self._session.renew_at
        if token is not None and renew_at is not None and self._client.clock.now() < renew_at:
            return token
        return await self.renew(token, by)

    async def renew(self, rejected: SecretStr | None, by: float) -> SecretStr:
        """Another token than `rejected`. Several callers with the same rejected token log in once."""
        with transport_errors(self._call, write=False):
            async with cut_at(by, self._client.clock.boot_time), self._session.lock:
                if self._session.token is not None and self._session.token is not rejected:
                    return self._session.token
                self._session.token = await self._request_token(by)
                self._session.renew_at = self._client.clock.now() + TOKEN_LIFE
                return self._session.token
        raise AssertionError("transport_errors raises what it catches")

    async def log_in(self, by: float) -> None:
        """Log in now, whatever token there is, to prove that the instance accepts the password."""
        await self.renew(self._session.token, by)

    def secrets(self) -> list[SecretStr | str | None]:
        """What no answer of this instance may show."""
        return [self._username, self._password, self._session.token, self._basic()]

    def _basic(self) -> str:
        """https://www.rfc-editor.org/rfc/rfc7617"""
        return b64encode(f"{self._username}:{self._password.get_secret_value()}".encode()).decode()

    async def _request_token(self, by: float) -> SecretStr:
        answer = await self._client.send(
            "POST",
            self._url,
            call=self._call,
            by=min(by, self._client.within(READING_S)),
            write=False,
            headers={"Authorization": f"Basic {self._basic()}"},
        )
        body = answer.read(Scrubber(self.secrets()), FIELDS)
        error = envelope_error(self._call, answer, body, self._client.clock.now(), write=False)
        refused = answer.status_code in (401, 403) and not is_of_proxy(answer)
        if refused or (isinstance(error, Rejected) and error.error_code == FIRST_LOGIN):
            raise self._refused(error)
        if error is not None:
            raise error
        token = inside(body, "users", 0, "token")
        if not isinstance(token, SecretStr) or not token.get_secret_value():
            raise Transient(f"{self._call}: answered without a token", True)
        return token

    def token_refused(self, call: str) -> CredentialsRefused:
        """A token was refused that the instance has just given for the password."""
        details = f"it gives user {self._username} a token and does not take it"
        return CredentialsRefused(f"{call}: {details}", None, as_safe(details), refused_by="onprem")

    def _refused(self, error: MigrationError | None) -> CredentialsRefused:
        error_code = error.error_code if isinstance(error, Rejected) else None
        details = f"user {self._username} is not accepted"
        if error_code == FIRST_LOGIN:
            details = f"user {self._username} still has the default password; it has to be changed at the first login"
        return CredentialsRefused(f"{self._call}: {details}", error_code, as_safe(details), refused_by="onprem")
