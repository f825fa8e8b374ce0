"""A Graph client on a transport that the test answers, and ways to write what Graph answers."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.http import GuardedTransport

BASE = "https://graph.test/v25.0"
TOKEN = SecretStr("EAAG-a-token-of-the-system-user")
APP_SECRET = SecretStr("an-app-secret")
NUMBER = "106540352242922"
WABA = "102290129340398"
LATER = 10_000.0  # a `send_by` that has not passed: the clock of these tests stands at 0
Answering = Callable[[httpx.Request], httpx.Response]


def cloud(answer: Answering, *, secret: SecretStr | None = None, boot: Callable[[], float] = lambda: 0.0) -> GraphApi:
    def client() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=GuardedTransport(httpx.MockTransport(answer), boot))

    return GraphApi(client(), client, BASE, TOKEN, secret)


def saying(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answering:
    """The same answer to everything; text and bytes are sent as they are."""
    raw = body if isinstance(body, str | bytes) else json.dumps(body)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=raw, headers=dict(headers or {}))

    return answer


def error(code: int, **more: Any) -> dict[str, Any]:
    """Graph's error envelope."""
    return {"error": {"message": f"(#{code}) it says", "type": "OAuthException", "code": code, **more}}


def raising(exc: type[httpx.TransportError]) -> Answering:
    def answer(request: httpx.Request) -> httpx.Response:
        raise exc("gone", request=request)

    return answer
