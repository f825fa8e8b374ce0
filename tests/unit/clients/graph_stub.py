"""A Graph client whose responses the test makes."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.http import HttpClient
from migration.clients.transports import DeadlineTransport
from migration.clock import SystemClock

BASE = "https://graph.test/v25.0"
TOKEN = SecretStr("EAAG-a-token-of-the-system-user")
APP_SECRET = SecretStr("an-app-secret")
NUMBER = "106540352242922"
WABA = "102290129340398"
LATER = 10_000.0  # a `send_by` in the future: the clock of these tests stands at 0
Answering = Callable[[httpx.Request], httpx.Response]


def graph_api(
    answer: Answering, *, secret: SecretStr | None = None, boot: Callable[[], float] = lambda: 0.0
) -> GraphApi:
    def client() -> HttpClient:
        return HttpClient(DeadlineTransport(httpx.MockTransport(answer), boot), SystemClock())

    return GraphApi(client(), client, BASE, TOKEN, secret)


def always(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answering:
    """The same response to every request; a body of text or bytes is sent as it is."""
    raw = body if isinstance(body, str | bytes) else json.dumps(body)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=raw, headers=dict(headers or {}))

    return answer


def error_body(error_code: int, **fields: Any) -> dict[str, Any]:
    """Graph's error envelope."""
    return {"error": {"message": f"(#{error_code}) it says", "type": "OAuthException", "code": error_code, **fields}}


def raising(exc: type[httpx.TransportError]) -> Answering:
    def answer(request: httpx.Request) -> httpx.Response:
        raise exc("gone", request=request)

    return answer
