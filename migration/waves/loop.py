"""Keeps numbers moving: takes what is due, so many at a time, until nothing more will come due soon.

Knows no Prefect: it is given `run_one`, which a flow wraps in a task and `cutover run` does not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import timedelta

from migration.bootstrap import App
from migration.waves.halt import why_halt
from state.errors import Conflict
from state.sides import WaveState

SWEEP_EVERY = timedelta(seconds=2)
MOST_A_RUN = 500  # the server drops task runs beyond that: docs/decisions.md
RunOne = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which numbers a loop looks after: all, those of a wave, one part of a wave, or those named."""

    wave: str | None = None
    part: int = 0
    parts: int = 1
    only: Collection[int] | None = None

    def mine(self, migration_id: int) -> bool:
        if self.only is not None:
            return migration_id in self.only
        return migration_id % self.parts == self.part


class WaveLoop:
    def __init__(
        self, app: App, run_one: RunOne, *, concurrency: int, patience: timedelta, stop: asyncio.Event | None = None
    ) -> None:
        self._app = app
        self._run_one = run_one
        self._concurrency = concurrency
        self._patience = patience
        self._stop = stop or asyncio.Event()
        self._running: dict[int, asyncio.Future[object]] = {}

    async def run(self, chosen: Slice, tick: Callable[[], Awaitable[None]] | None = None) -> None:
        """Until nothing runs and nothing of the slice comes due within `patience`; `tick` is called now and then.

        An error of one number (a wrong key, a lost database) ends the loop after the others have stopped.
        """
        try:
            while not self._stop.is_set():
                await self._halt(chosen.wave)  # first: what the last number did may forbid the next one
                await self._begin_due(chosen)
                if tick is not None:
                    await tick()
                if not self._running and not await self._more_soon(chosen):
                    return
                await self._pause()
        finally:
            await self._gather()
            await self._app.ledger.waves.finish()

    async def _begin_due(self, chosen: Slice) -> None:
        room = self._concurrency - len(self._running)
        if room <= 0:
            return
        for migration_id in await self._app.queries.due(wave=chosen.wave, limit=10_000):
            if room <= 0:
                break
            if chosen.mine(migration_id) and migration_id not in self._running:
                self._running[migration_id] = asyncio.ensure_future(self._run_one(migration_id))
                room -= 1

    async def _pause(self) -> None:
        """Until a number stops or a sweep is due."""
        if self._running:
            await asyncio.wait(
                self._running.values(), timeout=SWEEP_EVERY.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await self._app.clock.sleep(SWEEP_EVERY.total_seconds() / 2)
        for migration_id, task in list(self._running.items()):
            if task.done():
                del self._running[migration_id]
                task.result()

    async def _more_soon(self, chosen: Slice) -> bool:
        now = await self._app.queries.now()
        soon = await self._app.queries.due_by(now + self._patience, wave=chosen.wave)
        return any(chosen.mine(one) for one in soon)

    async def _halt(self, wave: str | None) -> None:
        if wave is None:
            return
        row = await self._app.queries.wave(wave)
        because = why_halt(row, await self._app.queries.board(wave=wave))
        if because is not None and row.state is WaveState.RUNNING:
            try:
                await self._app.ledger.waves.move(wave, WaveState.HALTED, allowed=[WaveState.RUNNING], because=because)
            except Conflict:
                return  # a person or another worker was quicker

    async def _gather(self) -> None:
        if self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            self._running.clear()
