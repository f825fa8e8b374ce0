"""A port for every On-Premises deployment, shut while nobody would listen there.

A client tells "connection refused" (nobody listens: the deployment is down) from silence (proof of nothing). Behind one
shared port a stopped deployment could only break connections off, which is neither.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from weakref import WeakSet

from sandbox.errors import NobodyThere, Silence
from sandbox.onprem import deployments
from sandbox.world.world import World

# Each takes a file descriptor. A larger fleet shares the main port, where a stopped deployment resets connections.
MOST_DOORS = 500


class Door:
    """One port. It stays bound while it is shut, so that nobody else gets it; connections to it are refused then."""

    def __init__(self, host: str, make: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._make = make
        self._tls = tls
        self._callers: WeakSet[asyncio.Transport] = WeakSet()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sock = _bound(host, 0)
        self.port: int = self._sock.getsockname()[1]
        self.is_open = False

    def open(self) -> None:
        self._sock.listen(64)
        asyncio.get_running_loop().add_reader(self._sock, self._accept)
        self.is_open = True

    def shut(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()
        for caller in list(self._callers):
            caller.abort()
        self._sock = _bound(self._host, self.port)
        self.is_open = False

    def close(self) -> None:
        if self.is_open:
            asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _accept(self) -> None:
        with suppress(BlockingIOError, ConnectionAbortedError):
            connection, _ = self._sock.accept()
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._take(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _take(self, connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError):  # gone again, or not speaking TLS
            loop = asyncio.get_running_loop()
            transport, _ = await loop.connect_accepted_socket(self._make, connection, ssl=self._tls)
            self._callers.add(transport)


class Doors:
    """Opened and shut as the deployments go up and down."""

    def __init__(
        self,
        world: World,
        host: str,
        make: Callable[[str], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`make` is told whose door it is. With TLS the fleet has to be small enough for doors of its own."""
        self._world = world
        few = len(world.instances) <= MOST_DOORS
        self._doors = {name: Door(host, partial(make, name), tls) for name in world.instances} if few else {}
        scheme, shown = "https" if tls is not None else "http", f"[{host}]" if ":" in host else host
        world.doors.update({name: f"{scheme}://{shown}:{door.port}" for name, door in self._doors.items()})
        self.look()

    def look(self) -> None:
        """Bring every door up to date."""
        for name, door in self._doors.items():
            listens = self._listens(name)
            if listens and not door.is_open:
                door.open()
            elif door.is_open and not listens:
                door.shut()

    def _listens(self, name: str) -> bool:
        try:
            deployments.answers(self._world, self._world.instances[name])
        except NobodyThere:
            return False
        except Silence:
            return True  # a connection is taken, and nothing ever comes back
        return True

    def close(self) -> None:
        for door in self._doors.values():
            door.close()


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.setblocking(False)
    return sock
