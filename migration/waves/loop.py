"""Keeps numbers moving: takes what is due, so many at a time, until nothing more will come due soon.

Knows no Prefect: it is given `run_one`, which a flow wraps in a task and `cutover run` does not.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from migration.app import App
from migration.engine.itineraries import FORWARD
from migration.engine.runner import Busy
from migration.steps.outcomes import Held
from state.enums import WaveState
from state.errors import Conflict
from state.queries import WavePart

SWEEP_EVERY = timedelta(seconds=2)
MAX_NUMBERS_PER_RUN = 500  # the server drops task runs beyond that: docs/decisions.md
MAX_DUE = 10_000
RunOne = Callable[[int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class NumberSelection:
    """Which numbers a loop looks after: all, those of a wave, one part of a wave, or those named."""

    wave: str | None = None
    part: int = 0
    parts: int = 1
    only: Collection[int] | None = None

    @property
    def wave_part(self) -> WavePart | None:
        return WavePart(self.wave, self.part, self.parts) if self.wave is not None else None

    def includes(self, migration_id: int) -> bool:
        return self.only is None or migration_id in self.only


async def end_leases_of_dead_workers(app: App) -> None:
    """A worker that was killed on this machine holds numbers for nothing: they go on now, not in a minute."""
    for holder in await app.queries.holders():
        if app.is_gone(holder):
            await app.ledger.leases.end_those_of(holder)


async def numbers_to_sweep(app: App, *, dry_run: bool = False) -> tuple[int, ...]:
    """What a sweep takes up: numbers that somebody set going, and that nobody moves now.

    Nobody asked for the others yet. A worker that is merely there must not take a fleet across that was just imported.
    """
    if not dry_run:
        await end_leases_of_dead_workers(app)
    due = await app.queries.due(begun=[one.name.value for one in FORWARD])
    return due[:MAX_NUMBERS_PER_RUN]


class WaveLoop:
    """`at_gate`: how long it stays for a wave whose numbers are held, so that a release is heard within seconds."""

    def __init__(
        self,
        app: App,
        run_one: RunOne,
        *,
        concurrency: int,
        patience: timedelta,
        at_gate: timedelta = timedelta(),
        stop: asyncio.Event | None = None,
    ) -> None:
        self._app = app
        self._run_one = run_one
        self._concurrency = concurrency
        self._patience = patience
        self._at_gate = at_gate
        self._stop = stop or asyncio.Event()
        self._running: dict[int, asyncio.Future[object]] = {}
        self._begun: dict[int, int] = {}  # number -> how many others had stopped when it was last begun
        self._stopped = 0
        self.turned_away: dict[int, str] = {}  # numbers that others keep from being moved now, and why
        self._idle_since: datetime | None = None

    async def run(self, chosen: NumberSelection, tick: Callable[[], Awaitable[None]] | None = None) -> None:
        """Until nothing runs and nothing of the slice comes due within `patience`; `tick` is called now and then.

        An error of one number (a wrong key, a lost database) ends the loop after the others have stopped.
        """
        try:
            while not self._stop.is_set():
                await self._halt()  # first: what the last number did may forbid the next one
                await end_leases_of_dead_workers(self._app)
                await self._begin_due(chosen)
                if tick is not None:
                    await tick()
                if not self._running and not await self._more_soon(chosen) and not await self._held(chosen):
                    return
                await self._pause()
        finally:
            await self._gather()
            await self._app.ledger.waves.finish()

    async def _begin_due(self, chosen: NumberSelection) -> None:
        room = self._concurrency - len(self._running)
        if room <= 0:
            return
        for migration_id in await self._app.queries.due(chosen.wave_part, limit=MAX_DUE):
            if room <= 0:
                break
            if chosen.includes(migration_id) and migration_id not in {*self._running, *self.turned_away}:
                self._running[migration_id] = asyncio.ensure_future(self._run_one(migration_id))
                self._begun[migration_id] = self._stopped
                room -= 1

    async def _pause(self) -> None:
        """Until a number stops or a sweep is due."""
        if self._running:
            await asyncio.wait(
                self._running.values(), timeout=SWEEP_EVERY.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
        else:
            await self._app.clock.sleep(SWEEP_EVERY.total_seconds() / 2)
        self._note(self._take_done())

    def _take_done(self) -> dict[int, object]:
        """What the numbers that have stopped said; an error of one is raised here."""
        done = {one: task for one, task in self._running.items() if task.done()}
        for migration_id in done:
            del self._running[migration_id]
        return {migration_id: task.result() for migration_id, task in done.items()}

    def _note(self, said: dict[int, object]) -> None:
        """A number that was turned away is not asked about again at once: its wave has no room before another stops.

        Where one stopped since it was begun, it may have been turned away for the sake of that one: there is room now.
        """
        busy = {migration_id: outcome.reason for migration_id, outcome in said.items() if isinstance(outcome, Busy)}
        if len(busy) < len(said):
            self._stopped += 1
        if not said or len(busy) < len(said):
            self.turned_away.clear()
        self.turned_away |= {one: why for one, why in busy.items() if self._begun[one] == self._stopped}
        if any(not isinstance(outcome, Busy | Held) for outcome in said.values()):
            self._idle_since = None

    async def _more_soon(self, chosen: NumberSelection) -> bool:
        now = await self._app.queries.now()
        soon = await self._app.queries.due_by(now + self._patience, chosen.wave_part)
        # Those that were named wait for room in a wave that somebody else moves: that one takes them up.
        away = self.turned_away if chosen.only is not None else ()
        return any(chosen.includes(one) and one not in away for one in soon)

    async def _held(self, chosen: NumberSelection) -> bool:
        """Whether to stay for a release: something is held, the wave is not over, and it has not been too long."""
        if chosen.wave_part is None or not self._at_gate:
            return False
        now, row = await self._app.queries.now(), await self._app.queries.wave(chosen.wave_part.wave)
        self._idle_since = self._idle_since or now
        if now - self._idle_since >= self._at_gate or (row.window_end is not None and row.window_end <= now):
            return False
        if row.state in (WaveState.STOPPED, WaveState.DONE):
            return False
        return bool(await self._app.queries.at_gate(chosen.wave_part))

    async def _halt(self) -> None:
        """Every running wave whose rule is broken, whoever moved its numbers. Its gates shut with the failure."""
        for wave, because in await self._app.queries.to_halt():
            with suppress(Conflict):  # a person or another worker was quicker
                await self._app.ledger.waves.move(wave, WaveState.HALTED, allowed=[WaveState.RUNNING], because=because)

    async def _gather(self) -> None:
        if self._running:
            await asyncio.gather(*self._running.values(), return_exceptions=True)
            self._running.clear()
