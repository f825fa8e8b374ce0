"""A port for each On-Premises deployment, closed while nothing would listen there.

A refused connection (nothing listens: the deployment is down) differs from no response (which proves nothing). On one
port for all, a stopped deployment could only reset connections, which is neither of the two.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from weakref import WeakSet

from sandbox.errors import ConnectionRefused, NoResponse
from sandbox.onprem import deployments
from sandbox.world.world import World

# Each port takes a file descriptor. A larger fleet shares the main port, where a stopped deployment resets connections.
MOST_PORTS = 500


class ClientPort:
    """One port. It stays bound while it is closed, so that no other process gets it; connections are refused then."""

    def __init__(
        self, host: str, make_protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None
    ) -> None:
        self._host = host
        self._make_protocol = make_protocol
        self._tls = tls
        self._transports: WeakSet[asyncio.Transport] = WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sock = _bound(host, 0)
        self.port: int = self._sock.getsockname()[1]
        self.is_open = False

    def open(self) -> None:
        self._sock.listen(64)
        asyncio.get_running_loop().add_reader(self._sock, self._accept)
        self.is_open = True

    def close(self) -> None:
        """Refuses new connections and ends the present ones; `open` may follow."""
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()
        for transport in list(self._transports):
            transport.abort()
        self._sock = _bound(self._host, self.port)
        self.is_open = False

    def release(self) -> None:
        """Gives the port back for good."""
        if self.is_open:
            asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._sock.accept()
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError):  # closed already, or the caller does not speak TLS
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_accepted_socket(self._make_protocol, connection, ssl=self._tls)
            self._transports.add(transport)


class ClientPorts:
    """The ports of all deployments, opened and closed as the deployments start and stop."""

    def __init__(
        self,
        world: World,
        host: str,
        make_protocol: Callable[[str], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`make_protocol` gets the instance's id. TLS needs a fleet small enough for a port for each deployment."""
        self._world = world
        instances = world.instances if len(world.instances) <= MOST_PORTS else ()
        self._ports = {name: ClientPort(host, partial(make_protocol, name), tls) for name in instances}
        scheme, in_url = "https" if tls is not None else "http", f"[{host}]" if ":" in host else host
        world.client_urls.update({name: f"{scheme}://{in_url}:{port.port}" for name, port in self._ports.items()})
        self.update()

    def update(self) -> None:
        """Opens and closes each port as its deployment is now."""
        for name, port in self._ports.items():
            listens = self._listens(name)
            if listens and not port.is_open:
                port.open()
            elif port.is_open and not listens:
                port.close()

    def _listens(self, name: str) -> bool:
        try:
            deployments.check_reachable(self._world, self._world.instances[name])
        except ConnectionRefused:
            return False
        except NoResponse:
            return True  # connections are accepted, and never answered
        return True

    def release(self) -> None:
        for port in self._ports.values():
            port.release()


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock
