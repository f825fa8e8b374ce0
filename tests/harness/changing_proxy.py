"""A real HTTP server between `cutover` and the sandbox, whose answers a test may change."""

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from tests.harness.quiet_server import QuietServer

# Path and JSON of an answer → the JSON to give instead; None: as it is.
ChangeAnswer = Callable[[str, Any], Any]
HOP = frozenset(("connection", "transfer-encoding", "content-length", "content-encoding", "host", "accept-encoding"))


@dataclass
class ChangingProxy:
    """`away`: a call whose path begins with one of these gets no answer; its connection is closed."""

    url: str
    change: ChangeAnswer = lambda _path, _body: None
    away: set[str] = field(default_factory=set)


@contextmanager
def changing_proxy(upstream: str) -> Iterator[ChangingProxy]:
    """Serve on a free port of loopback in front of the server at this address, until the end of the block."""
    behind = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if any(self.path.startswith(prefix) for prefix in proxy.away):
                self.close_connection = True
                return
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            connection = http.client.HTTPConnection(str(behind.hostname), behind.port, timeout=60)
            try:
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = _changed(proxy.change, self.path, answer.read())
            except (OSError, http.client.HTTPException):  # the sandbox gave no answer: neither do we
                self.close_connection = True
                return
            finally:
                connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self._forward()

        def do_POST(self) -> None:
            self._forward()

        def do_DELETE(self) -> None:
            self._forward()

        def log_message(self, *_: object) -> None: ...

    server = QuietServer(("127.0.0.1", 0), Handler)
    proxy = ChangingProxy(f"http://127.0.0.1:{server.server_address[1]}")
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


def _changed(change: ChangeAnswer, path: str, content: bytes) -> bytes:
    try:
        body = json.loads(content)
    except ValueError:
        return content
    other = change(path.split("?", maxsplit=1)[0], body)
    return content if other is None else json.dumps(other).encode()
