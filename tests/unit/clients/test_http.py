"""The map of httpx's errors, the shared clients, the dry run."""

import asyncio
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import httpx
import pytest

from migration.clients.deadline import PastDeadline
from migration.clients.http import Answer, HttpClient, TooLate, transport_errors
from migration.clients.http_clients import HttpClients
from migration.clients.transports import DeadlineTransport
from migration.clock import SystemClock
from migration.errors import MigrationError, OutcomeUnknown, Transient, WriteRefused
from tests.harness.clock import START, FakeClock

NOT_SENT = [
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    PastDeadline,
    TooLate,
]
Answering = Callable[[bytes], str]


@pytest.fixture
async def answering() -> AsyncIterator[Answering]:
    """Gives the address of a server that answers every request with the bytes that it is given."""
    response = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            await writer.drain()
        writer.close()

    def with_response(content: bytes) -> str:
        nonlocal response
        response = content
        return f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listener:
        yield with_response


@pytest.fixture
def listening(answering: Answering) -> str:
    return answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")


NO_RESPONSE = [
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
]


def raised_by(error: Exception, *, write: bool) -> MigrationError:
    with pytest.raises(MigrationError) as raised, transport_errors("POST /x", write=write):
        raise error
    assert raised.value.__cause__ is error
    assert str(raised.value).startswith("POST /x: ")
    return raised.value


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("kind", NOT_SENT)
def test_a_request_that_was_not_sent_is_transient_and_not_counted(kind: type[Exception], write: bool) -> None:
    error = raised_by(kind("failed"), write=write)
    assert isinstance(error, Transient)
    assert not error.answered


@pytest.mark.parametrize("kind", NO_RESPONSE)
def test_without_a_response_a_write_is_unknown_and_a_read_is_transient(kind: type[httpx.TransportError]) -> None:
    assert isinstance(raised_by(kind("failed"), write=True), OutcomeUnknown)
    error = raised_by(kind("failed"), write=False)
    assert isinstance(error, Transient)
    assert not error.answered


# What httpx is built on; it raises their errors where it forgets to translate them.
h11, httpcore = import_module("h11"), import_module("httpcore")


def whole_tree(root: type[Exception]) -> list[type[Exception]]:
    return [root, *(kind for child in root.__subclasses__() for kind in whole_tree(child))]


def made(kind: type[Exception]) -> Exception:
    """An error of this class, whatever its constructor takes."""
    error = kind.__new__(kind)
    error.args = ("it quotes a Bearer EAAG-token",)
    return error


EVERY_ERROR: list[Exception] = [
    *(
        made(kind)
        for root in (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict, h11.ProtocolError)
        for kind in whole_tree(root)
    ),
    *(made(kind) for kind in vars(httpcore).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    *(made(kind) for kind in (ssl.SSLError, ssl.SSLEOFError, ssl.SSLCertVerificationError, ConnectionResetError)),
    *(made(kind) for kind in (TimeoutError, EOFError, OSError, socket.gaierror, zlib.error, RecursionError)),
    *(made(kind) for kind in (ValueError, OverflowError, RuntimeError, TypeError, AttributeError, KeyError)),
    UnicodeEncodeError("ascii", "ü", 0, 1, "ordinal not in range"),
    UnicodeDecodeError("ascii", b"\xff", 0, 1, "ordinal not in range"),
    ExceptionGroup("IPv6 and IPv4", [ConnectionRefusedError(111, "Connection refused"), ValueError("port")]),
]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: type(error).__name__)
async def test_no_error_of_the_libraries_leaves_the_client(error: Exception) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    client = HttpClient(httpx.MockTransport(answer), SystemClock())
    for write in (True, False):
        with pytest.raises(OutcomeUnknown if write and not isinstance(error, tuple(NOT_SENT)) else Transient) as raised:
            await client.send("POST", "https://graph.test/x", call="POST /x", by=client.within(5), write=write)
        assert raised.value.__cause__ is error
        assert "EAAG" not in repr(raised.value)


NEVER_BUILT: dict[str, dict[str, Any]] = {
    "port": {"url": "https://graph.test:port/x"},
    "control character": {"url": "https://graph.test/\n"},
    "IDNA": {"url": "https://☃☃☃./x"},
    "header that is no ASCII": {"headers": {"Authorization": "Bearer ü"}},
    "body with NaN": {"json_body": {"a": float("nan")}},
    "body with half a surrogate pair": {"json_body": {"a": "\ud83d"}},
    "a time that has passed": {"by": 0.0},
}


@pytest.mark.parametrize("name", NEVER_BUILT)
async def test_what_cannot_be_built_was_not_sent(name: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("it was sent")

    client = HttpClient(httpx.MockTransport(answer), SystemClock())
    given = {"url": "https://graph.test/x", "call": "POST /x", "by": client.within(5), **NEVER_BUILT[name]}
    with pytest.raises(Transient, match="POST /x: never left") as raised:
        await client.send("POST", write=True, **given)
    assert not raised.value.answered


UNSENDABLE: dict[str, dict[str, Any]] = {
    "scheme": {"url": "ftp://127.0.0.1/x"},
    "no scheme": {"url": "127.0.0.1/x"},
    "no host": {"url": "http:///x"},
    "port 99999": {"url": "http://127.0.0.1:99999/x"},
    "port 0": {"url": "http://127.0.0.1:0/x"},
    "negative port": {"url": "http://127.0.0.1:-1/x"},
    "label too long": {"url": f"http://{'a' * 70}.test/x"},
    "empty label": {"url": "http://a..test/x"},
    "NUL in the host": {"url": "http://a%00b/x"},
    "header with a line break": {"headers": {"Authorization": "Bearer a\r\nX-More: b"}},
    "header name": {"headers": {"bad name": "x"}},
}


@pytest.mark.parametrize("name", UNSENDABLE)
async def test_what_the_network_library_refuses_was_not_sent(name: str, listening: str) -> None:
    transport = DeadlineTransport(httpx.AsyncHTTPTransport(), SystemClock().boot_time)
    async with HttpClient(transport, SystemClock()) as client:
        given = {"url": listening, "call": "POST /x", "by": client.within(5), **UNSENDABLE[name]}
        with pytest.raises(Transient, match="never left"):
            await client.send("POST", write=True, **given)


ODD_RESPONSES: dict[str, bytes] = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "status 999999": b"HTTP/1.1 999999 What\r\n\r\n",
    "status of another script": "HTTP/1.1 ٢٠٠ OK\r\n\r\n".encode(),
    "negative length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "length of 5,000 digits": b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
    "a chunk of 5,000 digits": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 5000,
    "no chunk": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "unknown transfer encoding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: br\r\n\r\n{}",
    "endless headers": b"HTTP/1.1 200 OK\r\n" + b"x-more: 1\r\n" * 100_000,
    "one huge header": b"HTTP/1.1 200 OK\r\nx-more: " + b"1" * 1_000_000,
    "header without a name": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n",
    "body cut": b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{",
    "switching protocols": b"HTTP/1.1 101 Switching\r\n\r\n",
    "endless informational responses": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    "nothing": b"",
}


@pytest.mark.parametrize("name", ODD_RESPONSES)
async def test_an_odd_response_is_no_answer(name: str, answering: Answering) -> None:
    url = answering(ODD_RESPONSES[name])
    async with HttpClient(
        DeadlineTransport(httpx.AsyncHTTPTransport(), SystemClock().boot_time), SystemClock()
    ) as client:
        for write in (True, False):
            with pytest.raises(OutcomeUnknown if write else Transient):
                await client.send("POST", url, call="POST /x", by=client.within(5), write=write)


REDIRECTS = ["https://[::", "http://☃☃☃.", "//:99999", "\\x00", "javascript:x", "http://a..b", "ftp://x", ""]


@pytest.mark.parametrize("location", REDIRECTS)
async def test_a_redirect_to_nonsense_is_just_its_status(location: str, answering: Answering) -> None:
    head = f"HTTP/1.1 302 Found\r\nlocation: {location}\r\nset-cookie: a=b; expires=x\r\ncontent-length: 0\r\n\r\n"
    url = answering(head.encode())
    async with HttpClient(httpx.AsyncHTTPTransport(), SystemClock()) as client:
        answer = await client.send("GET", url, call="GET /x", by=client.within(5), write=False)
    assert answer.status_code == 302


def test_other_errors_pass_through_the_map() -> None:
    with pytest.raises(WriteRefused), transport_errors("POST /x", write=True):
        raise WriteRefused("a dry run")


# -- the shared clients


def http_clients(*, dry_run: bool = False) -> tuple[HttpClients, list[ssl.SSLContext | None]]:
    made: list[ssl.SSLContext | None] = []

    def transport(tls: ssl.SSLContext | None) -> httpx.MockTransport:
        made.append(tls)
        return httpx.MockTransport(lambda request: httpx.Response(302, headers={"location": "https://elsewhere.test"}))

    return HttpClients(FakeClock(START), dry_run=dry_run, transport=transport), made


async def get(client: HttpClient, method: str = "GET", send_by: float | None = None) -> Answer:
    by = client.within(5.0)
    return await client.send(method, "https://graph.test/x", call="call", by=by, write=method != "GET", send_by=send_by)


async def test_a_redirect_is_not_followed() -> None:
    clients, _ = http_clients()
    assert (await get(clients.graph)).status_code == 302
    await clients.aclose()


async def test_a_new_graph_client_has_its_own_transport() -> None:
    clients, made = http_clients()
    shared = len(made)
    async with clients.new_graph_client() as client:
        assert client is not clients.graph
    assert len(made) == shared + 1
    await clients.aclose()


async def test_only_an_instance_with_unverified_tls_has_another_client() -> None:
    clients, _ = http_clients()
    assert clients.onprem(verify_tls=True) is clients.graph
    assert clients.onprem(verify_tls=False) is not clients.graph
    await clients.aclose()


async def test_every_client_refuses_writes_in_a_dry_run() -> None:
    clients, _ = http_clients(dry_run=True)
    for client in (clients.graph, clients.new_graph_client(), clients.onprem(verify_tls=False)):
        with pytest.raises(WriteRefused):
            await get(client, "POST")
        assert (await get(client)).status_code == 302
    await clients.aclose()


async def test_every_client_has_the_send_deadline() -> None:
    clients, _ = http_clients()
    for client in (clients.graph, clients.new_graph_client(), clients.onprem(verify_tls=False)):
        with pytest.raises(Transient, match="TooLate"):
            await get(client, "POST", FakeClock(START).boot_time())
    await clients.aclose()
