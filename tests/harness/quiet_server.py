"""An HTTP server for tests whose clients may hang up or be killed in the middle of a call."""

import sys
from http.server import ThreadingHTTPServer
from typing import Any


class QuietServer(ThreadingHTTPServer):
    """Prints nothing about a client that went away: the output of a command in a test is taken from the same stream."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out what a connection's end raises; anything else is a mistake of the test and is printed."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)
