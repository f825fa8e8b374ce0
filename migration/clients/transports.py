"""What stands before the network: the latest moment of sending, the dry run, and a pool of connections a far side."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from migration.clients.http import PROGRESS, SEND_BY, Progress, TooLate
from migration.errors import WriteRefused


class DeadlineTransport(httpx.AsyncBaseTransport):
    """Refuses to send once the request's `send_by` (boot-time clock, seconds) has passed. Raises TooLate.

    Checks again when the headers and the body are about to be written: connecting takes time too, and the process
    may be stopped and continued at any moment in between. Notes in the request's Progress how far it came.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, boot_time: Callable[[], float]) -> None:
        self._inner = inner
        self._boot_time = boot_time

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._check_deadline(request)
        request.extensions = {**request.extensions, "trace": self._trace(request)}
        return await self._inner.handle_async_request(request)

    def open_ahead(self, url: httpx.URL) -> None:
        """Open the connection of the next request, where the transport can."""
        opens = getattr(self._inner, "open_ahead", None)
        if opens is not None:
            opens(url)

    def _trace(self, request: httpx.Request) -> Callable[[str, Any], Any]:
        """https://www.encode.io/httpcore/extensions/#trace"""
        progress: Progress = request.extensions.get(PROGRESS) or Progress()
        checked_events = {"http11.send_request_headers.started"}
        if request.headers.get("content-length", "0") != "0":
            # Without their body the headers have no effect, so this is the last moment to stop.
            checked_events.add("http11.send_request_body.started")

        async def trace(event: str, info: Any) -> None:
            progress.traced = True
            if event in checked_events:
                self._check_deadline(request)
            progress.began = progress.began or event == "http11.send_request_headers.started"
            progress.headers_sent = progress.headers_sent or event == "http11.send_request_headers.complete"

        return trace

    def _check_deadline(self, request: httpx.Request) -> None:
        send_by = request.extensions.get(SEND_BY)
        if send_by is not None and self._has_passed(send_by):
            raise TooLate(f"{request.method} {request.url.path} was not sent: its time had passed")

    def _has_passed(self, send_by: float) -> bool:
        return self._boot_time() >= send_by

    async def aclose(self) -> None:
        await self._inner.aclose()


class ReadOnlyTransport(httpx.AsyncBaseTransport):
    """Sends reads only, for a dry run. A login and a backup change nothing, so they count as reads.

    Raises WriteRefused.
    """

    READ_PATHS = ("/users/login", "/settings/backup")

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method not in ("GET", "HEAD") and not request.url.path.endswith(self.READ_PATHS):
            raise WriteRefused(f"a dry run stops before {request.method} {request.url.path}")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


# Far sides whose connections stay open between two calls: each On-Premises client is one of its own.
MOST_IDLE_POOLS = 100


@dataclass(slots=True)
class _Pool:
    transport: httpx.AsyncBaseTransport
    in_use: int = 0  # requests whose response is not closed yet


class PoolPerOrigin(httpx.AsyncBaseTransport):
    """A pool of connections for each far side, made when it is first called.

    httpcore asks every open connection of a pool for its state at each request. In one pool for a whole fleet a call to
    one client would cost more with every other client that is connected.
    """

    def __init__(self, make: Callable[[], httpx.AsyncBaseTransport], most_idle: int = MOST_IDLE_POOLS) -> None:
        self._make = make
        self._most_idle = most_idle
        self._pools: dict[tuple[str, bytes, int | None], _Pool] = {}  # the one that was used last is the last

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        origin = (request.url.scheme, request.url.raw_host, request.url.port)
        pool = self._pools.pop(origin, None) or _Pool(self._make())
        self._pools[origin] = pool
        pool.in_use += 1
        try:
            await self._close_idle()
            response = await pool.transport.handle_async_request(request)
        except BaseException:
            pool.in_use -= 1
            raise
        response.stream = _Counted(response.stream, pool)
        return response

    async def _close_idle(self) -> None:
        """Those that were not used for the longest time, where there are too many."""
        too_many = len(self._pools) - self._most_idle
        if too_many <= 0:
            return
        idle = [origin for origin, pool in self._pools.items() if not pool.in_use]
        for pool in [self._pools.pop(origin) for origin in idle[:too_many]]:
            with suppress(Exception):  # the request that made room is not concerned
                await pool.transport.aclose()

    async def aclose(self) -> None:
        while self._pools:
            await self._pools.popitem()[1].transport.aclose()


class _Counted(httpx.AsyncByteStream):
    """The body of a response; its pool is in use until it is closed."""

    def __init__(self, stream: Any, pool: _Pool) -> None:
        self._stream = stream
        self._pool: _Pool | None = pool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._pool is not None:
                self._pool.in_use -= 1
                self._pool = None
