"""Waiting that a request to stop ends."""

import asyncio
from collections.abc import Awaitable

from migration.runtime.stop_request import StopRequest


async def unless_stopped(work: Awaitable[None], stop: StopRequest) -> None:
    """Wait for `work`, or for a request to stop; then `work` is cancelled."""
    loop, stopped, working = asyncio.get_running_loop(), asyncio.Event(), asyncio.ensure_future(work)
    with stop.calling(lambda: loop.call_soon_threadsafe(stopped.set)):
        waiting = asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            working.cancel()
