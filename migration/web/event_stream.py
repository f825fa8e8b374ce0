"""Streams of server-sent events at one address: so many at most, and each of them ends.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from migration.clock import Clock
from migration.runtime.stop_request import StopRequest
from migration.web.answers import Refused

BEAT_EVERY_S = 15.0  # something is sent at least so often, so that a proxy keeps the connection
LASTS_S = 600.0  # whoever reads it asks again by itself; whoever is signed out by then gets none
MOST = 100


@dataclass(slots=True)
class EventStreams:
    """`ask_every_s`: how often a stream asks for what is new."""

    clock: Clock
    stop: StopRequest
    ask_every_s: float
    open: int = 0

    def response(self, request: Request, news: Callable[[], Awaitable[str]], too_many: Refused) -> Response:
        """`news`: as of `events`. Raises `too_many` where no further stream may be opened."""
        if request.method == "HEAD":  # a stream has no end, and whoever asks waits for one
            return Response(media_type="text/event-stream")
        if self.open >= MOST:
            raise too_many
        return StreamingResponse(self.events(news), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def events(self, news: Callable[[], Awaitable[str]]) -> AsyncIterator[str]:
        """`news`: at first what a stream begins with, then the events since it was asked last, or an empty text."""
        self.open += 1
        began = sent = self.clock.boot_time()
        try:
            yield await news()
            while not self.stop.requested and self.clock.boot_time() - began < LASTS_S:
                await self.clock.sleep(self.ask_every_s)
                text = await news()
                if text or self.clock.boot_time() - sent >= BEAT_EVERY_S:
                    sent = self.clock.boot_time()
                    yield text or ": still here\n\n"
        except asyncio.CancelledError:
            return
        finally:
            self.open -= 1
