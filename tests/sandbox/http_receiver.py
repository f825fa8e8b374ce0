"""A webhook endpoint with an HTTP server of its own, and a wait with a deadline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.harness.quiet_server import QuietServer

PATIENCE_S = 10


class Endpoint(BaseHTTPRequestHandler):
    """Answers the first `refusals` deliveries with 500, the others with 200."""

    received: list[tuple[bytes, dict[str, str]]]
    refusals: int

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        token_matches = query.get("hub.verify_token") == ["ours"]
        self._answer(200 if token_matches else 403, query["hub.challenge"][0].encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        type(self).received.append((body, {name.lower(): value for name, value in self.headers.items()}))
        self._answer(500 if len(type(self).received) <= type(self).refusals else 200, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Prints nothing."""


Received = list[tuple[bytes, dict[str, str]]]


@contextmanager
def serve_endpoint(refusals: int = 0, kind: type[Endpoint] = Endpoint) -> Iterator[tuple[str, Received]]:
    received: Received = []
    handler = type("Handler", (kind,), {"received": received, "refusals": refusals})
    server = QuietServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wait_until(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
