"""uvicorn's HTTP protocol with an end for clients that do not get on: uvicorn itself waits for a request for ever.

https://www.uvicorn.org/settings/#timeouts names the only timeout that it has, for what comes after an answer.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_WITHIN_S = 10.0  # from the first byte of a connection, or of a further request, to the end of its headers
MAX_HEAD = 32 * 1024  # bytes of request line and headers


class PatientForAWhile(HttpToolsProtocol):
    """Closes a connection whose headers take too long or are too long."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_ends_by: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_is_open = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_is_open:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD + self._allowance(data):
                self._refuse("The headers are too long.")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._head_is_open = True
        if self._head_ends_by is None:
            self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_is_open, self._head_bytes = False, 0
        self._stop_timer()
        super().on_headers_complete()

    def _allowance(self, data: bytes) -> int:
        """A body may come with the last piece of its headers: that piece counts only up to their end."""
        end = data.find(b"\r\n\r\n")
        return len(data) - end if end >= 0 else 0

    def _start_timer(self) -> None:
        self._head_ends_by = self.loop.call_later(HEAD_WITHIN_S, self._refuse, "The headers took too long.")

    def _stop_timer(self) -> None:
        if self._head_ends_by is not None:
            self._head_ends_by.cancel()
            self._head_ends_by = None

    def _refuse(self, why: str) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            self.send_400_response(why)
