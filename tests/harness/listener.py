"""A real HTTP listener on loopback, in a thread of its own: the other side of messages and heartbeats."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from threading import Thread

from tests.harness.quiet_server import QuietServer


class Listener:
    """`bodies`: what was posted, in order; `paths`: of every request. `status`: what it answers."""

    def __init__(self, port: int, bodies: list[str], paths: list[str]) -> None:
        self.url = f"json://127.0.0.1:{port}/"
        self.http_url = f"http://127.0.0.1:{port}/"
        self.bodies, self.paths = bodies, paths
        self.status = 200


@contextmanager
def listening() -> Iterator[Listener]:
    bodies: list[str] = []
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            paths.append(self.path)
            self.send_response(listener.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if listener.status == 200:
                bodies.append(body)
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None: ...

    server = QuietServer(("127.0.0.1", 0), Handler)
    listener = Listener(server.server_address[1], bodies, paths)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
