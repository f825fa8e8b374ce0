"""The network below httpcore's pools: as httpcore has it, but whether a connection is still open costs little to ask.

A pool asks that of each of its idle connections at every request. httpcore's own stream has anyio read all that is
known of a socket for it, both addresses included, each of which is a call into the kernel.
"""

import select
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx


class Network(httpcore.AnyIOBackend):
    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return Connection(await super().connect_tcp(host, port, timeout, local_address, socket_options))


class Connection(httpcore.AsyncNetworkStream):
    """Asks once for the socket of `stream`."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket: Any = None
        self._poll: Any = None
        # As they are: httpcore calls them several times a request.
        self.read = stream.read  # type: ignore[method-assign]
        self.write = stream.write  # type: ignore[method-assign]
        self.aclose = stream.aclose  # type: ignore[method-assign]

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        return Connection(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._is_readable() if info == "is_readable" else self._stream.get_extra_info(info)

    def _is_readable(self) -> bool:
        """Whether a read would return at once: the server has closed the connection, or said something unasked."""
        if self._poll is None:
            self._socket = self._stream.get_extra_info("socket")
            if self._socket is None or self._socket.fileno() < 0:
                return True
            self._poll = select.poll()
            self._poll.register(self._socket.fileno(), select.POLLIN)
        # Once it is closed, another file may have its number.
        return self._socket.fileno() < 0 or bool(self._poll.poll(0))


class NetworkTransport(httpx.AsyncHTTPTransport):
    """httpx's own, on this network."""

    def __init__(self, tls: ssl.SSLContext, limits: httpx.Limits) -> None:
        super().__init__(verify=tls)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Network(),
        )
