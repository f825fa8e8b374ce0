"""What lies between a client and the wire: timeouts, the `send_by` guard, a transport that refuses to write."""

from collections.abc import Callable
from typing import Any

import httpx

from migration.errors import WriteRefused

# Graph answers reads and ordinary writes within seconds; the figure is ours (Meta documents none).
ORDINARY = httpx.Timeout(20.0, connect=5.0)
# "May take up to 15 seconds"; waited for three times as long, because an early hang-up costs knowing the outcome.
# https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
REGISTER = httpx.Timeout(45.0, connect=5.0)
# A backup of a client under load; ours (Meta documents none).
BACKUP = httpx.Timeout(50.0, connect=5.0)
# A health reading is asked for often and inside an outage: a late answer is no answer.
READING = httpx.Timeout(5.0, connect=3.0)

SEND_BY = "send_by"


class TooLate(httpx.ConnectError):
    """`send_by` had passed before the request could leave; not one whole request was sent."""


class NeverLeft(httpx.ConnectError):
    """The connection was never made."""


# Errors after which the far side cannot have seen a whole request.
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Refuses to send once the request's `send_by` (boot-time clock, seconds) has passed.

    Looked at again when the headers and the body are about to be written: connecting takes time too, and a
    worker may be stopped and woken anywhere in between.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, boot: Callable[[], float]) -> None:
        self._inner = inner
        self._boot = boot

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        send_by = request.extensions.get(SEND_BY)
        if send_by is not None:
            self._still_in_time(send_by, request)
            request.extensions = {**request.extensions, "trace": self._watch(send_by, request)}
        return await self._inner.handle_async_request(request)

    def _watch(self, send_by: float, request: httpx.Request) -> Callable[[str, Any], Any]:
        moments = {"http11.send_request_headers.started"}
        if request.headers.get("content-length", "0") != "0":
            moments.add("http11.send_request_body.started")  # headers alone move nothing while a body is due

        async def trace(event: str, info: Any) -> None:
            if event in moments:
                self._still_in_time(send_by, request)

        return trace

    def _still_in_time(self, send_by: float, request: httpx.Request) -> None:
        if self._boot() >= send_by:
            raise TooLate(f"{request.method} {request.url.path} was not sent: its time had passed")

    async def aclose(self) -> None:
        await self._inner.aclose()


class RefusingTransport(httpx.AsyncBaseTransport):
    """Lets reads through and refuses writes. A login and a backup change nothing, so they are reads."""

    READS = ("/users/login", "/settings/backup")

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method not in ("GET", "HEAD") and not request.url.path.endswith(self.READS):
            raise WriteRefused(f"a dry run stops before {request.method} {request.url.path}")
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
