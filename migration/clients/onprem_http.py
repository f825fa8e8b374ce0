"""HTTP to one On-Premises instance: calls that carry the login's token."""

from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.http import ORDINARY_TIMEOUT, SEND_BY, transport_errors
from migration.clients.json_values import json_body
from migration.clients.onprem_login import OnPremLogin
from migration.clients.onprem_parsing import envelope_error
from migration.errors import OutcomeUnknown, Transient
from migration.scrubbing.texts import Fields, Scrubber, numbers_of, secrets_of

# Read as they are: a backup, what a customer wrote about themself, and times.
FIELDS = Fields(
    whole=frozenset(("about", "text", "address", "description", "email", "websites", "expire_timestamp", "value")),
    secret=frozenset(("data",)),
)


@dataclass(frozen=True, slots=True)
class AcceptedResponse:
    """A response without an error. The body may be anything with a success: `null`, `{}`, or `meta` alone."""

    status_code: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    path: str
    body: dict[str, Any] | None
    send_by: float | None
    timeout: httpx.Timeout

    @property
    def is_write(self) -> bool:
        return self.send_by is not None


class OnPremHttp:
    def __init__(self, client: httpx.AsyncClient, base_url: str, login: OnPremLogin, instance: str) -> None:
        self._client = client
        self._base = base_url.rstrip("/")
        self._login = login
        self._instance = instance

    async def get(self, path: str, *, timeout: httpx.Timeout = ORDINARY_TIMEOUT) -> dict[str, Any]:
        response = await self._call(_Call("GET", path, None, None, timeout))
        return response.body

    async def post(
        self,
        path: str,
        body: dict[str, Any],
        *,
        send_by: float | None,
        timeout: httpx.Timeout = ORDINARY_TIMEOUT,
    ) -> AcceptedResponse:
        """`send_by` is None for a call that changes nothing; then a lost response is Transient, not OutcomeUnknown."""
        return await self._call(_Call("POST", path, body, send_by, timeout))

    async def _call(self, call: _Call) -> AcceptedResponse:
        """Repeats the call once with a new token after a 401: a call that gets a 401 has had no effect."""
        token = await self._login.token()
        response = await self._send(call, token)
        if response.status_code == 401:
            response = await self._send(call, await self._login.renew(token))
        return self._accepted(call, response)

    def _scrubber(self, call: _Call) -> Scrubber:
        sent = call.body or {}
        return Scrubber([*self._login.secrets(), *secrets_of(sent)], numbers=numbers_of(sent))

    async def _send(self, call: _Call, token: SecretStr) -> httpx.Response:
        with transport_errors(self._name_of(call), write=call.is_write):
            return await self._client.request(
                call.method,
                self._base + call.path,
                json=call.body,
                headers={"Authorization": f"Bearer {token.get_secret_value()}"},
                timeout=call.timeout,
                extensions={} if call.send_by is None else {SEND_BY: call.send_by},
            )

    def _accepted(self, call: _Call, response: httpx.Response) -> AcceptedResponse:
        body = json_body(response, self._scrubber(call), FIELDS)
        error = envelope_error(self._name_of(call), response.status_code, body, write=call.is_write)
        if error is not None:
            raise error
        if body is None and response.content.strip() not in (b"", b"null"):
            # Another server's page, such as a proxy's login form: it shows nothing about the call.
            message = f"{self._name_of(call)}: HTTP {response.status_code} without a readable body"
            raise OutcomeUnknown(message) if call.is_write else Transient(message, True)
        return AcceptedResponse(response.status_code, body if isinstance(body, dict) else {})

    def _name_of(self, call: _Call) -> str:
        return f"{self._instance}: {call.method} {call.path}"
