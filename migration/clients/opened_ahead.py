"""A connection that is opened before it is needed: its handshakes run beside the commit of an intent.

One that is not certainly open is not used: where it could not be opened, or the server has closed it or said something
on it meanwhile, another is opened when the request is sent, as without it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from migration.clients.http import CONNECT_S
from migration.clients.network import Connection


class OpenedAhead(httpcore.AnyIOBackend):
    """Gives the one connection that was opened ahead to the first request, and opens every other one itself."""

    def __init__(self) -> None:
        super().__init__()
        self._opening: asyncio.Task[httpcore.AsyncNetworkStream] | None = None
        self._watch: asyncio.Task[bytes] | None = None

    def open(self, url: httpx.URL, tls: ssl.SSLContext) -> None:
        self._opening = asyncio.ensure_future(self._open(url, tls))
        self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())  # whoever takes it says so

    async def _open(self, url: httpx.URL, tls: ssl.SSLContext) -> httpcore.AsyncNetworkStream:
        secure = url.scheme == "https"
        stream = await super().connect_tcp(url.host, url.port or (443 if secure else 80), timeout=CONNECT_S)
        if secure:
            tls.set_alpn_protocols(["http/1.1"])
            stream = _Secured(await stream.start_tls(tls, server_hostname=url.host, timeout=CONNECT_S))
        # The server has nothing to say before it is asked. Session tickets of TLS 1.3 are read in passing.
        self._watch = asyncio.ensure_future(stream.read(1))
        return stream

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        ahead = await self._take(timeout)
        return ahead or await super().connect_tcp(host, port, timeout, local_address, socket_options)

    async def _take(self, wait_s: float | None) -> httpcore.AsyncNetworkStream | None:
        opening, self._opening = self._opening, None
        if opening is None:
            return None
        try:
            stream = await asyncio.wait_for(opening, wait_s)
        except Exception:  # noqa: BLE001 -- the connection that is opened instead says what is wrong
            return None
        if await self._said_something():
            await _close(stream)
            return None
        return stream

    async def _said_something(self) -> bool:
        """Whether the server has closed the connection, or answered before it was asked. Ends the watch."""
        watch, self._watch = self._watch, None
        if watch is None or watch.done():
            return True
        watch.cancel()
        await asyncio.wait((watch,))
        return not watch.cancelled()

    async def discard(self) -> None:
        """Close it where nobody has taken it."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        opening.cancel()
        await asyncio.wait((opening,))
        await self._said_something()
        if not opening.cancelled() and opening.exception() is None:
            await _close(opening.result())


class _Secured(Connection):
    """A connection whose TLS handshake is done."""

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return self


async def _close(stream: httpcore.AsyncNetworkStream) -> None:
    with suppress(Exception):
        await stream.aclose()


class FreshTransport(httpx.AsyncHTTPTransport):
    """A transport for one request on a connection of its own, which may be opened ahead."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls)
        self._tls, self._ahead = tls, OpenedAhead()
        self._pool = httpcore.AsyncConnectionPool(ssl_context=tls, network_backend=self._ahead)

    def open_ahead(self, url: httpx.URL) -> None:
        self._ahead.open(url, self._tls)

    async def aclose(self) -> None:
        await self._ahead.discard()
        await super().aclose()
