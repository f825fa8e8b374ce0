"""Between a client and the network: one deadline a call, bounded bodies, and one map of errors.

Every call of ours to a far side goes through `HttpClient.send`. It follows no redirect and keeps no cookie.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import httpx

from migration.clients.bodies import ACCEPTED_ENCODING, MOST_BACKUP_BYTES, MOST_BYTES, UnreadableBody, read_body
from migration.clients.certificates import wrong_certificate
from migration.clients.deadline import PastDeadline, cut_at
from migration.clients.json_values import UNREADABLE, parse_json
from migration.clock import Clock
from migration.errors import MigrationError, OutcomeUnknown, Rejected, Transient
from migration.scrubbing.texts import NO_FIELDS, Fields, OutsideBody, Scrubber, as_safe

# The longest that a call may take with everything in it: log-in, renewal, connecting, sending, the whole response.
# Graph answers reads and ordinary writes within seconds; both figures are ours (Meta documents none).
READ_S, WRITE_S = 10.0, 20.0
# "May take up to 15 seconds". We wait three times as long: after an early hang-up the outcome would be unknown.
# https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
REGISTER_S = 45.0
# A backup or a restore of a client under load; the figure is ours (Meta documents none).
BACKUP_S = 50.0
# Health is read often, and while a number is in its outage: a late response is useless.
READING_S = 5.0
# All pages of a list; the figure is ours.
LISTING_S = 120.0

CONNECT_S = 5.0  # also the longest wait for a free connection
MOST_SENT_BYTES = MOST_BACKUP_BYTES + MOST_BYTES

SEND_BY = "send_by"  # the key of a request's latest moment of sending in its httpx extensions
PROGRESS = "progress"  # the same of a Progress


class TooLate(httpx.ConnectError):
    """`send_by` had passed before the complete request was sent."""


# After these errors the server cannot have received a complete request.
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    PastDeadline,
)


@dataclass(slots=True)
class Progress:
    """How far a request has come, by what the transport traces. A transport that traces nothing may have sent it."""

    built: bool = False
    traced: bool = False
    began: bool = False  # its headers may have left
    headers_sent: bool = False

    def cannot_have_arrived(self, exc: Exception) -> bool:
        if not self.built:
            return True
        # httpcore raises this before the headers leave, if the request breaks the rules of HTTP.
        refused_by_us = isinstance(exc, httpx.LocalProtocolError) and not self.headers_sent
        return self.traced and (refused_by_us or not self.began)


@contextmanager
def transport_errors(call: str, *, write: bool, progress: Progress | None = None) -> Iterator[None]:
    """Translates whatever the HTTP library raises in the body. `call` begins the message, which quotes nothing of it.

    Raises Transient when the request was not sent, or when a read got no response; OutcomeUnknown when a write got
    no response, because it may have taken effect. Libraries below httpx raise errors of their own (ValueError for a
    port, RuntimeError for a closed connection, ssl.SSLError, h11's), so none is left out; errors of ours pass.
    """
    try:
        yield
    except MigrationError:
        raise
    except Exception as exc:
        if isinstance(exc, NOT_SENT) or (progress is not None and progress.cannot_have_arrived(exc)):
            why = "its certificate is not accepted" if wrong_certificate(exc) else type(exc).__name__
            raise Transient(f"{call}: never left ({why})") from exc
        message = f"{call}: no answer ({type(exc).__name__})"
        raise (OutcomeUnknown(message) if write else Transient(message)) from exc


NO_BODY = OutsideBody(None)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read to its end. `unreadable`: why there is no body, although the server sent one.

    `is_cut`: the body is not merely no JSON, but too long, broken or encoded in a way that nobody asked for.
    `is_page`: it is HTML or XML, as of a proxy that answers in place of the far side.
    """

    status_code: int
    headers: httpx.Headers
    body: OutsideBody = NO_BODY  # parsed JSON, as it came
    unreadable: str | None = None
    is_cut: bool = False
    is_page: bool = False
    content: bytes = field(default=b"", repr=False)  # of a body that is no JSON: a picture

    @classmethod
    def of(cls, status_code: int, headers: httpx.Headers, content: bytes) -> Self:
        value = parse_json(content)
        if value is UNREADABLE:
            said = content.strip()
            unreadable = "the body is no JSON that we read" if said else None
            return cls(status_code, headers, unreadable=unreadable, is_page=said.startswith(b"<"), content=content)
        return cls(status_code, headers, OutsideBody(value))

    def read(self, scrubber: Scrubber, fields: Fields = NO_FIELDS) -> Any:
        """The parsed body with every text in it scrubbed, but for those of `fields`; None where there is none."""
        return scrubber.body(self.body, fields)

    @property
    def is_success(self) -> bool:
        return 200 <= self.status_code < 300


class HttpClient:
    """One pool of connections. `clock` gives the boot time that deadlines count by."""

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self._transport = transport
        self.clock = clock

    def within(self, seconds: float) -> float:
        """The deadline of a call that begins now and may take so long, on the boot-time clock."""
        return self.clock.boot_time() + seconds

    async def send(
        self,
        method: str,
        url: str,
        *,
        call: str,
        by: float,
        write: bool,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json_body: Mapping[str, Any] | None = None,
        send_by: float | None = None,
        most: int = MOST_BYTES,
    ) -> Answer:
        """Send one request and read the response. `by`: when it is cut; `send_by`: after it nothing is sent.

        `most`: bytes of the body, decoded. Raises Transient, and OutcomeUnknown for a write that may have arrived.
        """
        progress = Progress()
        with transport_errors(call, write=write, progress=progress):
            async with cut_at(by, self.clock.boot_time):
                request = httpx.Request(
                    method,
                    url,
                    params=params or None,
                    headers={"User-Agent": "cutover", "Accept-Encoding": ACCEPTED_ENCODING, **(headers or {})},
                    content=content if json_body is None else _json_content(json_body),
                    extensions={"timeout": self._timeouts(by), SEND_BY: send_by, PROGRESS: progress},
                )
                if json_body is not None:
                    request.headers["Content-Type"] = "application/json"
                if len(request.content) > MOST_SENT_BYTES:
                    too_long = as_safe("the request is longer than 17 MiB")
                    raise Rejected(f"{call}: {too_long}", None, too_long)
                progress.built = True
                return await self._exchange(request, most)
        raise AssertionError("transport_errors raises what it catches")

    async def _exchange(self, request: httpx.Request, most: int) -> Answer:
        response = await self._transport.handle_async_request(request)
        async with _closing(response):
            try:
                content = await read_body(response, most)
            except UnreadableBody as exc:
                return Answer(response.status_code, response.headers, unreadable=str(exc), is_cut=True)
        return Answer.of(response.status_code, response.headers, content)

    def _timeouts(self, by: float) -> dict[str, float | None]:
        """For each single wait; the deadline bounds their sum."""
        left = by - self.clock.boot_time()
        connect = min(CONNECT_S, left)
        return httpx.Timeout(left, connect=connect, pool=connect).as_dict()

    def open_ahead(self, url: str) -> None:
        """Open the connection of the next request to this address in the background, where the transport can."""
        opens = getattr(self._transport, "open_ahead", None)
        if opens is not None:
            opens(httpx.URL(url))

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()


def _json_content(body: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(body), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@asynccontextmanager
async def _closing(response: httpx.Response) -> AsyncIterator[None]:
    """Closes the response whatever happens; what goes wrong in closing changes nothing of what was read."""
    try:
        yield
    finally:
        with suppress(Exception):
            await response.stream.aclose()  # type: ignore[union-attr]  # httpx types it as sync or async
