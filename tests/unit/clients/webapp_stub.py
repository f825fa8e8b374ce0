"""An On-Premises client on a transport that the test answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.onprem import OnPremApi, Session

PASSWORD = SecretStr("Adm1n!password")
LATER = 10_000.0
Answering = Callable[[httpx.Request], httpx.Response]


@dataclass
class Webapp:
    """Logs in whoever comes and answers the rest from `say`: path -> answers, the last one for ever."""

    say: dict[str, list[Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    logins: list[tuple[int, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        if request.url.path == "/v1/users/login":
            return self._login()
        self.tokens.append(request.headers["authorization"].removeprefix("Bearer "))
        told = self.say[request.url.path]
        answer = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(answer, type):
            raise answer("gone", request=request)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    def _login(self) -> httpx.Response:
        if self.logins:
            status, body = self.logins.pop(0)
            return httpx.Response(status, json=body)
        made = sum(1 for one in self.asked if one.endswith("/users/login"))
        return httpx.Response(200, json={"users": [{"token": f"token-{made}"}], "meta": {"version": "2.57"}})


def onprem(answer: Answering, session: Session | None = None) -> OnPremApi:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return OnPremApi(http, "https://client.test", "admin", PASSWORD, session or Session(), "client-1")


def answering(path: str, *answers: Any) -> tuple[OnPremApi, Webapp]:
    """A client whose instance gives these answers at `path`."""
    webapp = Webapp({path: list(answers)})
    return onprem(webapp), webapp


def refusal(code: int, details: str = "why", status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"errors": [{"code": code, "title": "Error", "details": details}]})
