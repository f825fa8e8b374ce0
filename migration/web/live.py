"""Server-sent events for the operators' pages: one is told that something changed, and fetches itself again."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from migration.runtime.log import get_logger
from migration.web.answers import Refused
from migration.web.event_stream import EventStreams
from migration.web.site import Site
from state.database import is_database_error

LOOK_EVERY_S = 1.0

_LOG = get_logger("web")


@dataclass(slots=True)
class Live:
    site: Site
    streams: EventStreams = field(init=False)
    mark: str = ""
    looked: float = field(default=float("-inf"))

    def __post_init__(self) -> None:
        self.streams = EventStreams(self.site.app.clock, self.site.stop, LOOK_EVERY_S / 2)

    def routes(self) -> list[Route]:
        return [Route("/live", self.stream, methods=["GET"])]

    async def stream(self, request: Request) -> Response:
        self.site.operator(request)
        too_many = Refused(429, "too many pages are open; this one does not refresh itself", retry_after_s=60)
        return self.streams.response(request, _Page(self).news, too_many)

    async def look(self) -> str:
        """One look serves all pages that are open."""
        now = self.site.app.clock.boot_time()
        if now - self.looked >= LOOK_EVERY_S:
            self.looked = now
            try:
                self.mark = await self.site.app.queries.down.mark()
            except Exception as exc:
                if not is_database_error(exc) and not isinstance(exc, OSError):
                    raise
                _LOG.warning("the database does not answer: %s", type(exc).__name__)
        return self.mark


@dataclass(slots=True)
class _Page:
    """One page that is open. `seen`: the mark when it was told of a change last."""

    live: Live
    seen: str | None = None

    async def news(self) -> str:
        before, self.seen = self.seen, await self.live.look()
        if before is None:
            return "retry: 3000\n\n"
        return "event: changed\ndata: \n\n" if self.seen != before else ""
