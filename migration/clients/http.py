"""Between a client and the network: timeouts, the `send_by` deadline, the dry run, and the map of httpx's errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from migration.errors import OutcomeUnknown, Transient, WriteRefused

# Graph answers reads and ordinary writes within seconds; the figure is ours (Meta documents none).
ORDINARY_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
# "May take up to 15 seconds". We wait three times as long: after an early hang-up the outcome would be unknown.
# https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
REGISTER_TIMEOUT = httpx.Timeout(45.0, connect=5.0)
# A backup or a restore of a client under load; the figure is ours (Meta documents none).
BACKUP_TIMEOUT = httpx.Timeout(50.0, connect=5.0)
# Health is read often, and while a number is in its outage: a late response is useless.
READING_TIMEOUT = httpx.Timeout(5.0, connect=3.0)

SEND_BY = "send_by"  # the key of a request's deadline in its httpx extensions


class TooLate(httpx.ConnectError):
    """`send_by` had passed before the complete request was sent."""


# After these errors the server cannot have received a complete request.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@contextmanager
def transport_errors(call: str, *, write: bool) -> Iterator[None]:
    """Translates the transport errors that httpx raises in the body. `call` begins the message.

    Raises Transient when the request was not sent, or when a read got no response; OutcomeUnknown when a write got
    no response, because it may have taken effect.
    """
    try:
        yield
    except NOT_SENT as exc:
        raise Transient(f"{call}: never left ({type(exc).__name__})") from exc
    except httpx.TransportError as exc:
        message = f"{call}: no answer ({type(exc).__name__})"
        raise (OutcomeUnknown(message) if write else Transient(message)) from exc


class DeadlineTransport(httpx.AsyncBaseTransport):
    """Refuses to send once the request's `send_by` (boot-time clock, seconds) has passed. Raises TooLate.

    Checks again when the headers and the body are about to be written: connecting takes time too, and the process
    may be stopped and continued at any moment in between.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, boot_time: Callable[[], float]) -> None:
        self._inner = inner
        self._boot_time = boot_time

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        send_by = request.extensions.get(SEND_BY)
        if send_by is not None:
            self._check_deadline(send_by, request)
            request.extensions = {**request.extensions, "trace": self._trace(send_by, request)}
        return await self._inner.handle_async_request(request)

    def _trace(self, send_by: float, request: httpx.Request) -> Callable[[str, Any], Any]:
        """https://www.encode.io/httpcore/extensions/#trace"""
        checked_events = {"http11.send_request_headers.started"}
        if request.headers.get("content-length", "0") != "0":
            # Without their body the headers have no effect, so this is the last moment to stop.
            checked_events.add("http11.send_request_body.started")

        async def trace(event: str, info: Any) -> None:
            if event in checked_events:
                self._check_deadline(send_by, request)

        return trace

    def _check_deadline(self, send_by: float, request: httpx.Request) -> None:
        if self._boot_time() >= send_by:
            raise TooLate(f"{request.method} {request.url.path} was not sent: its time had passed")

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
