"""Server-sent events: a page is told that something changed, and fetches itself again.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from migration.runtime.log import get_logger
from migration.web.answers import Refused
from migration.web.site import Site
from state.database import is_database_error

LOOK_EVERY_S = 1.0
BEAT_EVERY_S = 15.0  # something is sent at least so often, so that a proxy keeps the connection
LASTS_S = 600.0  # the browser asks again by itself; whoever is signed out by then gets none
MOST = 100

_LOG = get_logger("web")


@dataclass(slots=True)
class Live:
    site: Site
    open_streams: int = 0
    mark: str = ""
    looked: float = field(default=float("-inf"))

    def routes(self) -> list[Route]:
        return [Route("/live", self.stream, methods=["GET"])]

    async def stream(self, request: Request) -> Response:
        self.site.operator(request)
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.open_streams >= MOST:
            raise Refused(429, "too many pages are open; this one does not refresh itself", retry_after_s=60)
        return StreamingResponse(self._events(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _events(self) -> AsyncIterator[str]:
        self.open_streams += 1
        clock = self.site.app.clock
        try:
            began = said = clock.boot_time()
            seen = await self._look()
            yield "retry: 3000\n\n"
            while not self.site.stop.requested and clock.boot_time() - began < LASTS_S:
                await clock.sleep(LOOK_EVERY_S / 2)
                mark = await self._look()
                if mark != seen:
                    seen, said = mark, clock.boot_time()
                    yield "event: changed\ndata: \n\n"
                elif clock.boot_time() - said >= BEAT_EVERY_S:
                    said = clock.boot_time()
                    yield ": still here\n\n"
        except asyncio.CancelledError:
            return
        finally:
            self.open_streams -= 1

    async def _look(self) -> str:
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
