"""Anchors the record every minute while a loop runs."""

import asyncio
from contextlib import suppress

from migration.app import App


async def write_anchor(app: App) -> None:
    """Nothing, where no process has made the record's key yet."""
    if app.anchors is not None:
        await app.anchors.write()


class Anchoring:
    """For a loop: an anchor is begun where the last one is a minute old. It never holds a number up."""

    def __init__(self, app: App, every_s: float) -> None:
        self._app = app
        self._every_s = every_s
        self._last = app.clock.boot_time()
        self._pass: asyncio.Future[None] | None = None

    def begin_pass(self) -> None:
        now = self._app.clock.boot_time()
        if now - self._last >= self._every_s and (self._pass is None or self._pass.done()):
            self._last = now
            self._pass = asyncio.ensure_future(write_anchor(self._app))

    async def finish(self) -> None:
        if self._pass is not None:
            with suppress(Exception):
                await self._pass
        await write_anchor(self._app)
