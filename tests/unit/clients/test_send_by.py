"""The `send_by` guard over real sockets: after its time a request is not sent, or not as a whole."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.graph import GraphApi
from migration.clients.http import SEND_BY, HttpClient, TooLate
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.traffic_hooks import TrafficHooks
from migration.clients.transports import DeadlineTransport, ReadOnlyTransport
from migration.clock import SystemClock
from migration.errors import Transient, WriteRefused
from tests.unit.clients.graph_stub import NUMBER, TOKEN

PIN = SecretStr("123456")
ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"success":true}'


@dataclass
class Server:
    """A loopback server that keeps the bytes received on each connection."""

    url: str = ""
    connections: list[bytearray] = field(default_factory=list)
    complete: list[bytes] = field(default_factory=list)  # requests with their whole body
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = bytearray()
        self.connections.append(received)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                received += head
                length = next(
                    (int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:")), 0
                )
                body = await reader.readexactly(length)
                received += body
                self.complete.append(head + body)
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            received += getattr(exc, "partial", b"")
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def listening() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with listening() as running:
        yield running


def clock_showing(*readings: float) -> Callable[[], float]:
    """A clock that shows these times in order, and the last one from then on."""
    remaining = list(readings)
    return lambda: remaining.pop(0) if len(remaining) > 1 else remaining[0]


def graph_api_at(url: str, boot: Callable[[], float]) -> tuple[GraphApi, list[HttpClient]]:
    clients: list[HttpClient] = []

    def client() -> HttpClient:
        clients.append(HttpClient(DeadlineTransport(httpx.AsyncHTTPTransport(), boot), SystemClock()))
        return clients[-1]

    return GraphApi(client(), client, url, TOKEN), clients


async def close_all(clients: list[HttpClient]) -> None:
    for client in clients:
        await client.aclose()


async def test_a_request_in_time_is_sent(server: Server) -> None:
    api, clients = graph_api_at(server.url, clock_showing(0.0))
    await api.register(NUMBER, PIN, None, send_by=5.0)
    assert len(server.complete) == 1
    await close_all(clients)


async def test_register_uses_no_kept_connection(server: Server) -> None:
    api, clients = graph_api_at(server.url, clock_showing(0.0))
    await api.set_pin(NUMBER, PIN, send_by=5.0)
    await api.set_pin(NUMBER, PIN, send_by=5.0)
    assert len(server.connections) == 1, "an ordinary write keeps its connection"
    await api.register(NUMBER, PIN, None, send_by=5.0)
    await api.register(NUMBER, PIN, None, send_by=5.0)
    assert len(server.connections) == 3
    assert [b"/register" in bytes(connection) for connection in server.connections] == [False, True, True]
    await close_all(clients)


async def test_a_late_request_does_not_even_connect(server: Server) -> None:
    api, clients = graph_api_at(server.url, clock_showing(5.0))
    with pytest.raises(Transient) as raised:
        await api.register(NUMBER, PIN, None, send_by=5.0)
    assert isinstance(raised.value.__cause__, TooLate)
    assert not raised.value.answered
    assert server.connections == []
    await close_all(clients)


@pytest.mark.parametrize(
    ("clock", "headers_left"),
    [((0.0, 6.0), False), ((0.0, 0.0, 6.0), True)],
    ids=["while it connects", "between headers and body"],
)
@pytest.mark.parametrize("call", ["register", "deregister"])
async def test_a_request_that_becomes_late_is_not_sent_as_a_whole(
    server: Server, clock: tuple[float, ...], headers_left: bool, call: str
) -> None:
    api, clients = graph_api_at(server.url, clock_showing(*clock))
    write = api.register(NUMBER, PIN, None, send_by=5.0) if call == "register" else api.deregister(NUMBER, send_by=5.0)
    with pytest.raises(Transient) as raised:
        await write
    assert isinstance(raised.value.__cause__, TooLate)
    await close_all(clients)
    await asyncio.wait_for(server.closed.wait(), 5)
    assert server.complete == []
    assert len(server.connections) == 1
    assert (b"POST" in bytes(server.connections[0])) is headers_left
    assert b"123456" not in bytes(server.connections[0])


async def test_the_time_is_checked_again_on_a_kept_connection(server: Server) -> None:
    api, clients = graph_api_at(server.url, clock_showing(0.0, 0.0, 0.0, 0.0, 6.0))
    await api.set_pin(NUMBER, PIN, send_by=5.0)
    with pytest.raises(Transient):
        await api.set_pin(NUMBER, PIN, send_by=5.0)
    assert len(server.complete) == 1
    await close_all(clients)


async def test_a_write_without_a_body_is_stopped_at_its_headers(server: Server) -> None:
    transport = DeadlineTransport(httpx.AsyncHTTPTransport(), clock_showing(0.0, 6.0))
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        with pytest.raises(TooLate):
            await client.post(server.url, extensions={SEND_BY: 5.0})
    assert server.complete == []


async def test_a_request_without_a_deadline_is_sent(server: Server) -> None:
    async with httpx.AsyncClient(
        transport=DeadlineTransport(httpx.AsyncHTTPTransport(), clock_showing(10**9)), trust_env=False
    ) as client:
        assert (await client.get(server.url)).status_code == 200


# -- a dry run


def refusing_client() -> tuple[HttpClient, list[str]]:
    requests: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(f"{request.method} {request.url.path}")
        return httpx.Response(
            200, json={"success": True, "users": [{"token": "t"}], "settings": {"data": "b"}, "health": {}}
        )

    return HttpClient(ReadOnlyTransport(httpx.MockTransport(answer)), SystemClock()), requests


async def test_a_dry_run_may_read_log_in_and_make_a_backup() -> None:
    http, requests = refusing_client()
    onprem = OnPremApi(http, "https://client.test", "admin", SecretStr("secret"), LoginSession(), "client")
    await onprem.health()
    await onprem.backup(SecretStr("password"))
    await GraphApi(http, lambda: http, "https://graph.test", TOKEN).subscribed_apps("1")
    assert requests == [
        "POST /v1/users/login",
        "GET /v1/health",
        "POST /v1/settings/backup",
        "GET /1/subscribed_apps",
    ]


async def test_a_dry_run_refuses_every_write() -> None:
    http, requests = refusing_client()
    onprem = OnPremApi(http, "https://client.test", "admin", SecretStr("secret"), LoginSession(), "client")
    graph = GraphApi(http, lambda: refusing_client()[0], "https://graph.test", TOKEN)
    hooks = TrafficHooks(http, "https://senders.test/hook", SecretStr("hook"))
    writes = [
        graph.register(NUMBER, PIN, None, send_by=5.0),
        graph.deregister(NUMBER, send_by=5.0),
        graph.request_code(NUMBER, "SMS", "en", send_by=5.0),
        graph.verify_code(NUMBER, PIN, send_by=5.0),
        graph.set_pin(NUMBER, PIN, send_by=5.0),
        graph.subscribe("1", send_by=5.0),
        graph.set_storage(NUMBER, "BR", send_by=5.0),
        graph.send_template(NUMBER, "+15550109999", "hello", "en", "c", send_by=5.0),
        graph.set_profile(NUMBER, {}, send_by=5.0),
        onprem.set_two_step(PIN, send_by=5.0),
        onprem.restore(PIN, PIN, send_by=5.0),
        onprem.request_code("1", "5550104321", "sms", "cert", None, send_by=5.0),
        onprem.verify_code(PIN, send_by=5.0),
        hooks.announce({"event": "pause_sends"}, "1:pause_sends:0", send_by=5.0),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            await write
    assert requests == ["POST /v1/users/login"]
