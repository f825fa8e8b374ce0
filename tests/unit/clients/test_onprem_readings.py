"""What one look at an instance shows: `serving`, `not_serving`, `refused`, or `unreachable`, which proves nothing."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.onprem import OnPremApi, Reading, Session
from tests.unit.clients.webapp_stub import PASSWORD, Webapp, answering, onprem, refusal

HEALTH, SUPPORT = "/v1/health", "/v1/support"


def health(*words: str | None, single: bool = False) -> dict[str, Any]:
    if single:
        return {"health": {"gateway_status": words[0]}}
    return {"health": {f"node-{at}": {"gateway_status": word} for at, word in enumerate(words)}}


WORDS: list[tuple[dict[str, Any], Reading]] = [
    (health("connected", single=True), Reading.SERVING),
    (health("disconnected", single=True), Reading.NOT_SERVING),
    (health("unregistered", single=True), Reading.NOT_SERVING),
    (health("connecting", single=True), Reading.UNREACHABLE),
    (health("uninitialized", single=True), Reading.UNREACHABLE),
    (health("a word of tomorrow", single=True), Reading.UNREACHABLE),
    (health(None, single=True), Reading.UNREACHABLE),
    (health("connected", "disconnected"), Reading.SERVING),
    (health("disconnected", "connected"), Reading.SERVING),
    (health("disconnected", "disconnected"), Reading.NOT_SERVING),
    (health("disconnected", "unregistered"), Reading.NOT_SERVING),
    (health("disconnected", "connecting"), Reading.UNREACHABLE),
    (health("connected", "connected", "connected"), Reading.SERVING),
    (health("disconnected", None), Reading.UNREACHABLE),
    ({"health": {}}, Reading.UNREACHABLE),
    ({"health": "text"}, Reading.UNREACHABLE),
    ({"health": {"node-0": "text"}}, Reading.UNREACHABLE),
    ({}, Reading.UNREACHABLE),
]


@pytest.mark.parametrize(("told", "kind"), WORDS)
async def test_words_over_all_topologies(told: dict[str, Any], kind: Reading) -> None:
    webapp = Webapp({HEALTH: [told], SUPPORT: [{}]})
    assert (await onprem(webapp).reading()).kind is kind


@pytest.mark.parametrize(
    "answer",
    [
        httpx.ReadTimeout,
        httpx.ConnectTimeout,
        httpx.ReadError,
        httpx.ConnectError("no route to host"),
        httpx.RemoteProtocolError("peer closed connection without sending complete message body"),
        refusal(1014, "Coreapp is down", 500),
        refusal(1005, "Access denied", 403),
        httpx.Response(502, text="<html>Bad Gateway</html>"),
        httpx.Response(200, text="<html>Hello</html>"),
        httpx.Response(200, content=b'{"health": {"gateway_st'),
    ],
    ids=str,
)
async def test_anything_else_proves_nothing(answer: Any) -> None:
    client, _ = answering(HEALTH, answer)
    assert (await client.reading()).kind is Reading.UNREACHABLE


@pytest.mark.parametrize(
    "closed",
    [
        httpx.ConnectError("[Errno 111] Connection refused"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
    ],
    ids=str,
)
async def test_a_closed_door_counts_only_when_it_is_closed_twice(closed: httpx.TransportError) -> None:
    client, webapp = answering(HEALTH, closed)
    assert (await client.reading()).kind is Reading.REFUSED
    assert webapp.asked.count("GET /v1/health") == 2
    webapp = Webapp({HEALTH: [closed, health("connected")], SUPPORT: [{}]})
    assert (await onprem(webapp).reading()).kind is Reading.SERVING


async def test_a_refused_login_proves_nothing() -> None:
    webapp = Webapp({HEALTH: [{}]}, logins=[(401, None)])
    assert (await onprem(webapp).reading()).kind is Reading.UNREACHABLE


@pytest.mark.parametrize(
    ("support", "year"),
    [
        ({"support": {"expire_timestamp": 1767225600}}, 2026),
        ({"support": {"n1": {"expire_timestamp": 1798761600}, "n2": {"expire_timestamp": 1767225600}}}, 2026),
        ({"support": {"expire_timestamp": "2026-01-01T00:00:00"}}, 2026),
        ({"support": {"expire_timestamp": "soon"}}, None),
        ({"support": {}}, None),
        ({}, None),
    ],
)
async def test_the_earliest_expiry_over_all_nodes(support: Any, year: int | None) -> None:
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [support]})
    expires = (await onprem(webapp).reading()).expires_at
    assert (expires.year if expires else None) == year
    assert expires is None or expires.tzinfo is not None


async def test_no_answer_about_the_expiry_does_not_spoil_the_reading() -> None:
    webapp = Webapp({HEALTH: [health("connected")], SUPPORT: [httpx.ReadTimeout]})
    reading = await onprem(webapp).reading()
    assert (reading.kind, reading.expires_at) == (Reading.SERVING, None)


# -- over real sockets


def at(port: int) -> tuple[OnPremApi, httpx.AsyncClient]:
    http = httpx.AsyncClient(trust_env=False)
    logged_in = Session(SecretStr("token"), datetime.now(UTC) + timedelta(days=1))
    return OnPremApi(http, f"http://127.0.0.1:{port}", "admin", PASSWORD, logged_in, "client-1"), http


async def test_a_port_where_nobody_listens_is_refused() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    client, http = at(port)
    assert (await client.reading()).kind is Reading.REFUSED
    await http.aclose()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"", Reading.REFUSED),
        (b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"hea', Reading.UNREACHABLE),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{", Reading.UNREACHABLE),
        (b"220 smtp.test ESMTP\r\n\r\n", Reading.UNREACHABLE),
    ],
    ids=["not a byte", "half a body", "half a chunk", "another protocol"],
)
async def test_a_door_that_shuts_at_once_is_refused_and_one_that_says_something_is_not(
    sent: bytes, kind: Reading
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if sent:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(sent)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        client, http = at(listener.sockets[0].getsockname()[1])
        assert (await client.reading()).kind is kind
        await http.aclose()
