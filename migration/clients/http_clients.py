"""The HTTP clients of one process: connection limits, certificates, the deadline and the dry run."""

import logging
import ssl
from collections.abc import Callable
from typing import TypeAlias

import httpx

from migration.clients.http import HttpClient
from migration.clients.transports import DeadlineTransport, ReadOnlyTransport
from migration.clock import Clock
from migration.runtime.log import guard_foreign_loggers

LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=20.0)
# Makes a transport with these TLS settings; tests pass one that reaches the sandbox without a network.
TransportFactory: TypeAlias = Callable[[ssl.SSLContext | None], httpx.AsyncBaseTransport]


class HttpClients:
    """Two shared clients: one checks certificates, the other is for instances with a self-signed one."""

    def __init__(self, clock: Clock, *, dry_run: bool = False, transport: TransportFactory | None = None) -> None:
        self._clock = clock
        self._dry_run = dry_run
        self._make_transport = transport or self._network_transport
        self._checked: ssl.SSLContext | None = None
        self._unchecked: ssl.SSLContext | None = None
        if transport is None:
            self._checked, self._unchecked = _tls_contexts()
        # httpcore writes requests and headers to its log, and some of ours carry a token.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        guard_foreign_loggers()
        self.graph = self._client(self._checked)
        self._self_signed = self._client(self._unchecked)

    def new_graph_client(self) -> HttpClient:
        """A client without open connections; the caller closes it."""
        return self._client(self._checked)

    def onprem(self, *, verify_tls: bool) -> HttpClient:
        return self.graph if verify_tls else self._self_signed

    def _client(self, tls: ssl.SSLContext | None) -> HttpClient:
        transport: httpx.AsyncBaseTransport = DeadlineTransport(self._make_transport(tls), self._clock.boot_time)
        if self._dry_run:
            transport = ReadOnlyTransport(transport)
        return HttpClient(transport, self._clock)

    @staticmethod
    def _network_transport(tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        assert tls is not None
        return httpx.AsyncHTTPTransport(verify=tls, limits=LIMITS)

    async def aclose(self) -> None:
        await self.graph.aclose()
        await self._self_signed.aclose()


def _tls_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A context that checks certificates and one that does not.

    The client ships with a self-signed certificate, which is accepted only where the inventory says so:
    https://developers.facebook.com/docs/whatsapp/api/users/login
    """
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return ssl.create_default_context(), unchecked
