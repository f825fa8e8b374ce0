"""The sandbox as a server: HTTP/1.1 on asyncio and httptools, so that a connection can be ended at any point.

Time is real here: the server waits for `slow` faults and for the seconds of `register`.
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
from sandbox.serving.ports import ClientPorts
from sandbox.serving.webhook_delivery import CHECK_EVERY_S, WebhookSender
from sandbox.wire import Request, Response

if TYPE_CHECKING:
    from sandbox.app import Sandbox

# Webhooks have up to 3 MB; nothing that a client sends here is larger than a picture.
LARGEST_BODY = 16 * 1024 * 1024
REASONS = {status.value: status.phrase for status in HTTPStatus}


class Framing(NamedTuple):
    """How a response is sent. For HEAD `with_body` is false: the client would read a body as the next response."""

    keep_alive: bool
    with_body: bool

    def body_of(self, response: Response) -> bytes:
        return response.body if self.with_body else b""


class Connection(asyncio.Protocol):
    """One connection. Its requests are answered in order."""

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
        except httptools.HttpParserUpgrade as upgrade:
            # Only HTTP/1.1 is spoken here. The request for an upgrade (curl --http2 sends one) was answered already.
            self._parser = httptools.HttpRequestParser(self)
            if (rest := data[upgrade.args[0] :]) and self._transport is not None:
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
            target = self._root + target  # at its own port a client answers under `/v1/...`
        request = Request.of(method, target, self._headers, b"".join(self._body), base)
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._reset()
        self._next()

    # -- responses

    def _next(self) -> None:
        while self._waiting and not self._busy:
            request, keep_alive = self._waiting.pop(0)
            response = self._sandbox.begin(request)
            if request.method != "GET":
                self._server.after_write(request)
            framing = Framing(keep_alive, with_body=request.method != "HEAD")
            if response.pending is not None or response.takes_s > 0:
                self._busy = True
                self._server.spawn(self._send_later(response, framing))
            else:
                self._send(response, framing)

    async def _send_later(self, response: Response, framing: Framing) -> None:
        """Sends a response that takes time, or one that needs a handshake first.

        The call has had its effect already, except for the handshake. The caller may have left by now.
        """
        if (pending := response.pending) is not None:
            response = pending.finish(await self._server.webhook_sender.verifies_itself(pending.handshake))
            self._server.webhook_sender.wake()
        await asyncio.sleep(response.takes_s)
        self._busy = False
        self._send(response, framing)
        self._next()

    def _send(self, response: Response, framing: Framing) -> None:
        if self._transport is None:
            return
        match response.drop:
            case "refused" | "reset":
                _reset_on_close(self._transport)
                self._transport.abort()
            case "timeout":
                self._busy = True  # until the caller gives up; later requests on the connection wait
            case "no_response":
                self._transport.close()
            case "truncated":
                half = framing.body_of(response)[: len(response.body) // 2]
                self._transport.write(_encode(response, False, half))
                self._transport.close()
            case None:
                self._transport.write(_encode(response, framing.keep_alive, framing.body_of(response)))
                if not framing.keep_alive:
                    self._transport.close()

    def _refuse(self, status: int) -> None:
        if self._transport is not None:
            self._transport.write(_encode(Response(status), keep_alive=False, body=b""))
            self._transport.close()


def _path_of(target: str) -> str:
    """The path of a request target; a client that uses a proxy sends scheme and host too."""
    if target.startswith(("http://", "https://")):
        _, slash, rest = target.partition("//")[2].partition("/")
        return slash + rest or "/"
    return target


def _encode(response: Response, keep_alive: bool, body: bytes) -> bytes:
    """`content-length` is that of the whole body, also when only a part of it is sent."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items()]
    lines.append(f"content-length: {len(response.body)}")
    if not keep_alive:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _reset_on_close(transport: asyncio.Transport) -> None:
    """With a linger time of 0 s, closing sends RST instead of FIN."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server:
    """The ports of the deployments, and the tasks that run beside the main port."""

    def __init__(self, sandbox: "Sandbox", host: str, tls: ssl.SSLContext | None = None) -> None:
        self.sandbox = sandbox
        self.scheme = "https" if tls is not None else "http"
        self.webhook_sender = WebhookSender(sandbox)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ports = ClientPorts(sandbox.world, host, lambda instance: Connection(self, instance), tls)

    def after_write(self, request: Request) -> None:
        """To be called after every call that may have changed something. Only a few start or stop a deployment."""
        if request.path.startswith("/_sandbox/") or request.path.rstrip("/").endswith("/register"):
            self._ports.update()
        self.webhook_sender.wake()

    async def update_ports(self) -> None:
        """Deployments stop by themselves too, when their build expires."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            self._ports.update()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        self._ports.release()
        for task in list(self._tasks):
            task.cancel()


async def serve(sandbox: "Sandbox", host: str = "127.0.0.1", port: int = 0, *, tls_onprem: bool = False) -> None:
    """Serves until SIGTERM or SIGINT. Prints the manifest as one line of JSON when it is ready."""
    loop = asyncio.get_running_loop()
    server = Server(sandbox, host, certificates.context(host) if tls_onprem else None)
    listener = await loop.create_server(lambda: Connection(server), host, port)
    server.spawn(server.webhook_sender.run())
    server.spawn(server.update_ports())
    bound_port = listener.sockets[0].getsockname()[1]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    in_url = f"[{host}]" if ":" in host else host
    sys.stdout.write(json.dumps(sandbox.manifest(f"http://{in_url}:{bound_port}")) + "\n")
    sys.stdout.flush()
    await stop.wait()
    listener.close()
    server.close()
    sandbox.world.log.clear()
