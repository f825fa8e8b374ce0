"""The HTTP clients of one process: connection limits, certificates, the deadline and the dry run."""

import logging
import ssl
from collections.abc import Callable
from typing import TypeAlias
from weakref import WeakSet

import httpx

from migration.clients.certificates import Trust, tls_context, unchecked_context
from migration.clients.http import HttpClient
from migration.clients.network import NetworkTransport
from migration.clients.opened_ahead import FreshTransport
from migration.clients.transports import DeadlineTransport, PoolPerOrigin, ReadOnlyTransport
from migration.clock import Clock
from migration.runtime.log import guard_foreign_loggers

LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=100, keepalive_expiry=20.0)
# Makes a transport with these TLS settings; tests pass one that reaches the sandbox without a network.
TransportFactory: TypeAlias = Callable[[ssl.SSLContext | None], httpx.AsyncBaseTransport]


class HttpClients:
    """Shared clients: one that checks certificates, one for each pinned certificate or own authority, one without."""

    def __init__(self, clock: Clock, *, dry_run: bool = False, transport: TransportFactory | None = None) -> None:
        self._clock = clock
        self._dry_run = dry_run
        self._make_transport = transport or self._network_transport
        self._checked: ssl.SSLContext | None = None
        self._unchecked: ssl.SSLContext | None = None
        self._trusting: dict[Trust, HttpClient] = {}
        self._on_network = transport is None
        self._fresh: WeakSet[HttpClient] = WeakSet()  # their callers close them
        if transport is None:
            self._checked, self._unchecked = ssl.create_default_context(), unchecked_context()
        # httpcore writes requests and headers to its log, and some of ours carry a token.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)
        guard_foreign_loggers()
        self.graph = self._client(self._checked)
        self._self_signed = self._client(self._unchecked)

    def new_graph_client(self) -> HttpClient:
        """A client without open connections; the caller closes it."""
        client = self._client(self._checked, fresh=True)
        self._fresh.add(client)
        return client

    def onprem(self, *, verify_tls: bool, trust: Trust | None = None) -> HttpClient:
        """`trust` counts before `verify_tls`. Raises BadSetting where an authority's file cannot be used."""
        if trust is not None:
            return self.trusting(trust)
        return self.graph if verify_tls else self._self_signed

    def trusting(self, trust: Trust | None) -> HttpClient:
        """For a far side whose certificate is pinned or of an own authority. Raises BadSetting."""
        if trust is None:
            return self.graph
        if trust not in self._trusting:
            self._trusting[trust] = self._client(tls_context(trust))
        return self._trusting[trust]

    def _client(self, tls: ssl.SSLContext | None, *, fresh: bool = False) -> HttpClient:
        made = FreshTransport(tls) if fresh and self._on_network and tls is not None else self._make_transport(tls)
        transport: httpx.AsyncBaseTransport = DeadlineTransport(made, self._clock.boot_time)
        if self._dry_run:
            transport = ReadOnlyTransport(transport)
        return HttpClient(transport, self._clock)

    @staticmethod
    def _network_transport(tls: ssl.SSLContext | None) -> httpx.AsyncBaseTransport:
        assert tls is not None
        return PoolPerOrigin(lambda: NetworkTransport(tls, LIMITS))

    async def aclose(self) -> None:
        for client in (self.graph, self._self_signed, *self._trusting.values(), *self._fresh):
            await client.aclose()
