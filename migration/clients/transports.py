"""What stands before the network: the latest moment of sending, and the dry run."""

from collections.abc import Callable
from typing import Any

import httpx

from migration.clients.http import PROGRESS, SEND_BY, Progress, TooLate
from migration.errors import WriteRefused


class DeadlineTransport(httpx.AsyncBaseTransport):
    """Refuses to send once the request's `send_by` (boot-time clock, seconds) has passed. Raises TooLate.

    Checks again when the headers and the body are about to be written: connecting takes time too, and the process
    may be stopped and continued at any moment in between. Notes in the request's Progress how far it came.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, boot_time: Callable[[], float]) -> None:
        self._inner = inner
        self._boot_time = boot_time

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._check_deadline(request)
        request.extensions = {**request.extensions, "trace": self._trace(request)}
        return await self._inner.handle_async_request(request)

    def _trace(self, request: httpx.Request) -> Callable[[str, Any], Any]:
        """https://www.encode.io/httpcore/extensions/#trace"""
        progress: Progress = request.extensions.get(PROGRESS) or Progress()
        checked_events = {"http11.send_request_headers.started"}
        if request.headers.get("content-length", "0") != "0":
            # Without their body the headers have no effect, so this is the last moment to stop.
            checked_events.add("http11.send_request_body.started")

        async def trace(event: str, info: Any) -> None:
            progress.traced = True
            if event in checked_events:
                self._check_deadline(request)
            progress.began = progress.began or event == "http11.send_request_headers.started"
            progress.headers_sent = progress.headers_sent or event == "http11.send_request_headers.complete"

        return trace

    def _check_deadline(self, request: httpx.Request) -> None:
        send_by = request.extensions.get(SEND_BY)
        if send_by is not None and self._has_passed(send_by):
            raise TooLate(f"{request.method} {request.url.path} was not sent: its time had passed")

    def _has_passed(self, send_by: float) -> bool:
        return self._boot_time() >= send_by

    async def aclose(self) -> None:
        await self._inner.aclose()


class ReadOnlyTransport(httpx.AsyncBaseTransport):
    """Sends reads only, for a dry run. A login and a backup change nothing, so they count as reads.

    Raises WriteRefused.
    """

    READ_PATHS = ("/users/login", "/settings/backup")

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method not in ("GET", "HEAD") and not request.url.path.endswith(self.READ_PATHS):
            raise WriteRefused(f"a dry run stops before {request.method} {request.url.path}")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
