"""`GET /v1/routes` for the partner's routers: all numbers, or what has changed since; once, or as server-sent events.

The place in the feed is this process's own. A place that it does not know, as after a restart, is answered with
everything.
"""

import asyncio
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from migration.operations.route_documents import route_document
from migration.web.answers import Refused
from migration.web.event_stream import EventStreams
from migration.web.site import Router, Site
from state.database import is_database_error

PATH = "/v1/routes"
LOOK_EVERY_S = 0.5
LONGEST_PLACE = 100  # characters


@dataclass(slots=True)
class Changes:
    """Every number's route with the count of changes at which it became so."""

    name: str = field(default_factory=lambda: secrets.token_hex(6))
    count: int = 0
    routes: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)

    def take(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """What is true now. Where a number has left the fleet, every place before is forgotten."""
        found = {str(document["e164"]): document for document in documents}
        if self.routes.keys() - found.keys():
            self.name, self.routes = secrets.token_hex(6), {}
        for e164, document in found.items():
            if e164 not in self.routes or self.routes[e164][1] != document:
                self.count += 1
                self.routes[e164] = self.count, document

    @property
    def place(self) -> str:
        return f"{self.name}-{self.count}"

    def since(self, place: str | None) -> tuple[bool, list[Mapping[str, Any]]]:
        """Whether these are all numbers, and those that have changed since that place."""
        name, _, count = (place or "").strip('"').rpartition("-")
        known = name == self.name and count.isdecimal() and len(count) < 12
        after = int(count) if known else 0
        changed = sorted((at, e164) for e164, (at, _) in self.routes.items() if at > after)
        return not known, [self.routes[e164][1] for _, e164 in changed]


@dataclass(slots=True)
class RoutesFeed:
    site: Site
    changes: Changes = field(default_factory=Changes)
    streams: EventStreams = field(init=False)
    _looked: float = field(default=float("-inf"))
    _mark: str = ""
    _look: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.streams = EventStreams(self.site.app.clock, self.site.stop, LOOK_EVERY_S / 2)

    def routes(self) -> list[Route]:
        return [Route(PATH, self.answer, methods=["GET"])]

    async def answer(self, request: Request) -> Response:
        router = self._router(request)
        given = request.query_params.get("since") or request.headers.get("last-event-id")
        if given is not None and len(given) > LONGEST_PLACE:
            raise Refused(400, "since is a place that this feed has given: the ETag, or `next` of the last answer")
        await self.refresh()
        if "text/event-stream" in request.headers.get("accept", ""):
            too_many = Refused(429, "too many routers are connected; ask without a stream", retry_after_s=30)
            return self.streams.response(request, RouterStream(self, router, given).news, too_many)
        headers = {"etag": f'"{self.changes.place}"', "cache-control": "private, no-cache"}
        if self.changes.place in {one.strip().removeprefix("W/").strip('"') for one in _asked(request)}:
            return Response(status_code=304, headers=headers)
        return JSONResponse(self._document(router, given), headers=headers)

    def _router(self, request: Request) -> Router:
        """Whose token was sent. Raises Refused."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = token.strip().encode("utf-8", "replace")
        for router in self.site.routers:
            if hmac.compare_digest(router.token.get_secret_value().encode(), given) and scheme.lower() == "bearer":
                return router
        self.site.check_rate("bad router", self.site.sender_of(request))
        raise Refused(
            401,
            "this needs the token of a router: `Authorization: Bearer ...`, [web.routers] of the admin file",
            headers={"www-authenticate": "Bearer"},
        )

    def _document(self, router: Router, place: str | None) -> dict[str, Any]:
        whole, rows = self.changes.since(place)
        return {"next": self.changes.place, "all": whole, "routes": [row for row in rows if router.sees(row)]}

    def event(self, router: Router, place: str | None) -> str:
        data = json.dumps(self._document(router, place), separators=(",", ":"))
        return f"id: {self.changes.place}\nevent: routes\ndata: {data}\n\n"

    async def refresh(self) -> None:
        """One look serves all routers. Raises Refused where the database does not answer."""
        async with self._look:
            now = self.site.app.clock.boot_time()
            if now - self._looked < LOOK_EVERY_S:
                return
            try:
                mark = await self.site.app.queries.down.mark()
                if mark != self._mark:
                    home = self.site.app.home.home_id
                    facts = await self.site.app.queries.routes.all()
                    self.changes.take([route_document(row, home) for row in facts])
            except Exception as exc:
                if not is_database_error(exc) and not isinstance(exc, OSError):
                    raise
                raise Refused(
                    503, "the database does not answer; keep the routes that you have", retry_after_s=5
                ) from exc
            self._looked, self._mark = now, mark


@dataclass(slots=True)
class RouterStream:
    """One router that reads the feed as a stream. `place`: up to where it has read it."""

    feed: RoutesFeed
    router: Router
    place: str | None
    begun: bool = False

    async def news(self) -> str:
        if self.begun:
            await self.feed.refresh()
            if self.feed.changes.place == self.place:
                return ""
        begins = "" if self.begun else "retry: 1000\n\n"
        event = self.feed.event(self.router, self.place)
        self.begun, self.place = True, self.feed.changes.place
        return begins + event


def _asked(request: Request) -> list[str]:
    return request.headers.get("if-none-match", "").split(",")
