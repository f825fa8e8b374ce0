"""Runs both listeners and the child that calls far sides, from the ready line to the end of the process."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from migration.app import App
from migration.errors import BadSetting
from migration.home.admin_file import WebSettings
from migration.web.mover_child import MoverChild
from migration.web.operators import operators_site
from migration.web.public import public_site
from migration.web.site import make_site
from migration.web.slow_clients import PatientForAWhile
from migration.web.webhooks.receiving import webhook_urls

PORT = 8451
PUBLIC_PORT = 8452
MOST_PORT = 65_535
MAX_CONNECTIONS = 400
STREAMS_END_WITHIN_S = 1  # after the request to stop
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What to change where there is no such address here, and where it is taken.
PAGES = ("--host takes one of this machine", "--port 0 takes a free one")
DOORS = (
    "`public_listen` in [web] takes one of this machine and a port up to 65535",
    "`public_listen` in [web] takes another one, and with port 0 a free one",
)


@dataclass(frozen=True, slots=True)
class Options:
    """`port` None: the usual one, or a free one where that is taken. `moves`: whether a child moves numbers."""

    host: str
    port: int | None
    moves: bool


async def serve(app: App, options: Options, name: str, print_ready: Callable[[str], None]) -> None:
    """Until the process is asked to stop. `name`: of whoever started it. Raises BadSetting."""
    web = app.admin.web
    refuse_unnamed(options.host, web)
    pages = bind(options.host, options.port, PORT)
    doors = bind(*public_place(web, options), advice=DOORS)
    url, public_url = address(pages), web.public_url or address(doors)
    site = make_site(app, name, app.stop, public_url)
    hosts = options.host, str(doors.getsockname()[0])
    servers = [
        _Server(operators_site(site, hosts[0]), pages),
        _Server(public_site(site, hosts[1]), doors),
    ]
    ready = {
        "url": url,
        "pages_url": f"{url}{site.link.path}",
        "metrics_url": f"{url}/metrics",
        "webhook_urls": await webhook_urls(site),
        "public_url": public_url,
    }
    async with _running(servers), _child(app, moves=options.moves):
        print_ready(json.dumps(ready))
        await _until_stopped(app, servers)


def refuse_unnamed(host: str, web: WebSettings) -> None:
    """Raises BadSetting: whoever asks from another machine has to have a name."""
    if host.strip("[]") not in LOOPBACK and not web.has_named_sign_in:
        raise BadSetting(
            f"{host} can be reached from other machines, and the admin file names no way to sign in there: "
            "give [web.tokens] or proxy_header in [web], or leave --host out; docs/serve.md"
        )


def public_place(web: WebSettings, options: Options) -> tuple[str, int | None, int]:
    """Host, port and usual port of the rooms and doors: as the admin file says, or beside the pages."""
    if web.public_listen is not None:
        host, _, port = web.public_listen.rpartition(":")
        return host.strip("[]") or "127.0.0.1", int(port), PUBLIC_PORT
    given = urlsplit(web.public_url or "")
    if given.scheme == "http" and given.hostname in LOOPBACK and given.port:
        return given.hostname, given.port, PUBLIC_PORT
    return "127.0.0.1", 0 if options.port == 0 else None, PUBLIC_PORT


def bind(host: str, port: int | None, usual: int, *, advice: tuple[str, str] = PAGES) -> socket.socket:
    """A listening place. Raises BadSetting where it is taken or is none."""
    if port is not None and port > MOST_PORT:  # the system would take what is left of it after 65536
        raise BadSetting(f"there is no port {port}; {advice[0]}")
    try:
        family, _, _, _, place = socket.getaddrinfo(
            host.strip("[]"), usual if port is None else port, type=socket.SOCK_STREAM
        )[0]
    except (OSError, UnicodeError, OverflowError):
        raise BadSetting(f"there is no address {host} here; {advice[0]}") from None
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(place)
    except OSError as exc:
        if port is None:
            sock.close()
            return bind(host, 0, usual, advice=advice)
        sock.close()
        raise BadSetting(f"{host}:{port} cannot be listened on: {exc.strerror}; {advice[1]}") from None
    return sock


def address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  it is what a browser cannot ask
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


class _Server(uvicorn.Server):
    """uvicorn without its own signals: those of this process are `migration.runtime.stop_request`'s."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http=PatientForAWhile,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="critical",  # below that it quotes what clients send
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STREAMS_END_WITHIN_S,
        )
        super().__init__(config)
        self.sock = sock

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _running(servers: list[_Server]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(server.serve(sockets=[server.sock])) for server in servers]
    try:
        while not all(server.started for server in servers):
            for task in tasks:
                if task.done():
                    task.result()
            await asyncio.sleep(0.01)
        yield
    finally:
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _child(app: App, *, moves: bool) -> AsyncIterator[None]:
    if not moves:
        yield
        return
    child = MoverChild(app.clock.boot_time)
    keeper = asyncio.ensure_future(child.keep_running())
    try:
        yield
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await asyncio.to_thread(child.stop)


async def _until_stopped(app: App, servers: list[_Server]) -> None:
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    with app.stop.calling(lambda: loop.call_soon_threadsafe(stopped.set)):
        await stopped.wait()
    for server in servers:
        server.should_exit = True


def note(text: str) -> None:
    """A line for whoever reads what `serve` prints beside its ready line."""
    sys.stderr.write(f"cutover: {text}\n")
    sys.stderr.flush()
