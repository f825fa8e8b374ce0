"""The sandbox as a server: HTTP/1.1 on asyncio and httptools, so that a connection can be cut anywhere.

Here time is real: `slow` faults and the seconds of `register` are waited for.
"""

import asyncio
import json
import signal
import socket
import ssl
import struct
import sys
from collections.abc import Coroutine
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import httptools

from sandbox.serving import certificates
from sandbox.serving.ports import Doors
from sandbox.serving.webhook_delivery import LOOK_S, Courier
from sandbox.wire import Answer, Request

if TYPE_CHECKING:
    from sandbox.app import Sandbox

# Meta takes webhooks of 3 MB; nothing a client sends here is larger than a picture.
LARGEST_BODY = 16 * 1024 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Told(NamedTuple):
    """How an answer goes out. `body` is false for HEAD: one that came all the same would be read as the next answer."""

    keep: bool
    body: bool

    def of(self, answer: Answer) -> bytes:
        return answer.body if self.body else b""


class Connection(asyncio.Protocol):
    """One client. Requests of a connection are answered in order."""

    def __init__(self, server: "Server", instance: str | None = None) -> None:
        self._server = server
        self._sandbox = server.sandbox
        self._scheme = server.scheme if instance is not None else "http"
        self._root = f"/onprem/{instance}" if instance is not None else ""
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: list[tuple[Request, bool]] = []
        self._busy = False
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as asked:
            # Nothing but HTTP/1.1 is spoken here; who asks for more (curl --http2 does) has been answered in it.
            self._parser = httptools.HttpRequestParser(self)
            if (rest := data[asked.args[0] :]) and self._transport is not None:
                self.data_received(rest)
        except httptools.HttpParserError:
            self._refuse(400)

    # -- httptools

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > LARGEST_BODY:
            self._refuse(413)
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        base = f"{self._scheme}://{self._headers.get('host', 'localhost')}"
        method, target = self._parser.get_method().decode(), _path_of(self._target.decode("latin-1"))
        if self._root and not target.startswith(("/onprem/", "/_sandbox/")):
            target = self._root + target  # at its own port a client is at home: `/v1/...`, as anywhere else
        request = Request.of(method, target, self._headers, b"".join(self._body), base)
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._reset()
        self._next()

    # -- answering

    def _next(self) -> None:
        while self._waiting and not self._busy:
            request, keep = self._waiting.pop(0)
            answer = self._sandbox.begin(request)
            if request.method != "GET":
                self._server.look(request)
            told = Told(keep, body=request.method != "HEAD")
            if answer.asks is not None or answer.takes_s > 0:
                self._busy = True
                self._server.spawn(self._later(answer, told))
            else:
                self._send(answer, told)

    async def _later(self, answer: Answer, told: "Told") -> None:
        """The effect is the world's already, unless an address has to verify itself first; only the answer is late,
        and its caller may be gone by then."""
        if answer.asks is not None:
            answer = answer.asks.then(await self._server.courier.verifies(answer.asks.handshake))
            self._server.courier.look()
        await asyncio.sleep(answer.takes_s)
        self._busy = False
        self._send(answer, told)
        self._next()

    def _send(self, answer: Answer, told: "Told") -> None:
        if self._transport is None:
            return
        match answer.drop:
            case "refused" | "reset":
                _reset_on_close(self._transport)
                self._transport.abort()
            case "silence":
                self._busy = True  # for as long as the caller has patience; later requests wait behind it
            case "no_answer":
                self._transport.close()
            case "cut":
                self._transport.write(_encode(answer, False, told.of(answer)[: len(answer.body) // 2]))
                self._transport.close()
            case None:
                self._transport.write(_encode(answer, told.keep, told.of(answer)))
                if not told.keep:
                    self._transport.close()

    def _refuse(self, status: int) -> None:
        if self._transport is not None:
            self._transport.write(_encode(Answer(status), keep=False, body=b""))
            self._transport.close()


def _path_of(target: str) -> str:
    """Without scheme and host, which who takes this for a proxy sends along."""
    if target.startswith(("http://", "https://")):
        _, slash, rest = target.partition("//")[2].partition("/")
        return slash + rest or "/"
    return target


def _encode(answer: Answer, keep: bool, body: bytes) -> bytes:
    """The length told is that of the whole body, also where only a part of it is sent."""
    lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append(f"content-length: {len(answer.body)}")
    if not keep:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _reset_on_close(transport: asyncio.Transport) -> None:
    """With a linger time of nothing, closing sends RST instead of FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """Everything that listens, and what runs beside it."""

    def __init__(self, sandbox: "Sandbox", host: str, tls: ssl.SSLContext | None = None) -> None:
        self.sandbox = sandbox
        self.scheme = "https" if tls is not None else "http"
        self.courier = Courier(sandbox)
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors = Doors(sandbox.world, host, lambda instance: Connection(self, instance), tls)

    def look(self, request: Request) -> None:
        """After a call that may have changed something. Only few calls take a deployment up or down."""
        if request.path.startswith("/_sandbox/") or request.path.rstrip("/").endswith("/register"):
            self._doors.look()
        self.courier.look()

    async def watch(self) -> None:
        """Deployments also go down by themselves, when their build expires."""
        while True:
            await asyncio.sleep(LOOK_S)
            self._doors.look()

    def spawn(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        self._doors.close()
        for task in list(self._tasks):
            task.cancel()


async def serve(sandbox: "Sandbox", host: str = "127.0.0.1", port: int = 0, *, tls_onprem: bool = False) -> None:
    """Serves until SIGTERM or SIGINT. Prints the manifest as one line of JSON when it is ready."""
    loop = asyncio.get_running_loop()
    beside = Server(sandbox, host, certificates.context(host) if tls_onprem else None)
    listener = await loop.create_server(lambda: Connection(beside), host, port)
    beside.spawn(beside.courier.run())
    beside.spawn(beside.watch())
    bound = listener.sockets[0].getsockname()[1]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(json.dumps(sandbox.manifest(f"http://{shown}:{bound}")) + "\n")
    sys.stdout.flush()
    await stop.wait()
    listener.close()
    beside.close()
    sandbox.world.log.clear()
