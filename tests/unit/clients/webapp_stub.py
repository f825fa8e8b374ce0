"""An On-Premises client whose responses the test makes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.http import HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clock import SystemClock

PASSWORD = SecretStr("Adm1n!password")
LATER = 10_000.0
Answering = Callable[[httpx.Request], httpx.Response]


@dataclass
class Webapp:
    """Accepts every login. `responses`: path -> responses in order; the last one is repeated."""

    responses: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    logins: list[tuple[int, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if request.url.path == "/v1/users/login":
            return self._login()
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        responses = self.responses[request.url.path]
        answer = responses.pop(0) if len(responses) > 1 else responses[0]
        if isinstance(answer, type):
            raise answer("gone", request=request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _login(self) -> httpx.Response:
        if self.logins:
            status, body = self.logins.pop(0)
            return httpx.Response(status, json=body)
        count = sum(1 for request in self.requests if request.endswith("/users/login"))
        return httpx.Response(200, json={"users": [{"token": f"token-{count}"}], "meta": {"version": "2.57"}})


def onprem(
    answer: Answering, session: LoginSession | None = None, e164: str = "", others: Collection[str] = ()
) -> OnPremApi:
    """`others`: further numbers of the home."""

    async def is_ours(number: str) -> bool:
        return number in (e164, *others)

    http = HttpClient(httpx.MockTransport(answer), SystemClock())
    session = session or LoginSession()
    return OnPremApi(http, "https://client.test", "admin", PASSWORD, session, "client-1", e164, is_ours)


def client_with_responses(path: str, *responses: Any) -> tuple[OnPremApi, Webapp]:
    """A client whose instance gives these responses at `path`."""
    webapp = Webapp({path: list(responses)})
    return onprem(webapp), webapp


def error_response(error_code: int, details: str = "why", status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": error_code, "title": "Error", "details": details}]})
