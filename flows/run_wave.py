"""A part of a wave: one Prefect task a number, the steps inside it plain coroutines."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from prefect import State, flow
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact, aupdate_progress_artifact
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.common import WaveName, in_task, log, opened
from migration.actions import begin_wave
from migration.advice import next_command, outage, true_status, who
from migration.bootstrap import App
from migration.waves.loop import MOST_A_RUN, RunOne, Slice, WaveLoop

PROGRESS_EVERY_S = 5.0
# Longer than a lease can be (reading 45 s, `register` 80 s): a run that follows a killed one waits its leases out.
PATIENCE_S = 90.0


def _name() -> str:
    told = flow_run.parameters
    part = f" part {told.get('part', 0) + 1} of {told.get('parts', 1)}" if told.get("parts", 1) > 1 else ""
    return f"wave {told.get('wave', '?')}{part}"


@flow(name="run-wave", flow_run_name=_name, retries=0, persist_result=False)
async def run_wave(
    wave: WaveName,
    part: Annotated[int, Field(ge=0)] = 0,
    parts: Annotated[int, Field(ge=1)] = 1,
    patience_s: Annotated[float, Field(ge=0, le=3600)] = PATIENCE_S,
) -> Any:
    """Move the numbers of a wave as far as they can go now. Safe to run again at any time, next to other runs of it.

    Args:
        wave: Name of the wave.
        part: Which part of the wave, from 0.
        parts: Into how many runs the wave is cut; a run may have 500 numbers.
        patience_s: Go on while a number comes due within so many seconds, from 0 to 3600.

    """
    async with opened() as app:
        await _valid(app, wave, part, parts)
        row = await begin_wave(app, wave)
        chosen = Slice(wave=wave, part=part, parts=parts)
        bar = _Bar(app, chosen)
        loop = WaveLoop(
            app, await mover_in_tasks(app, wave), concurrency=row.concurrency, patience=timedelta(seconds=patience_s)
        )
        await loop.run(chosen, bar.tick)
        return await _closing(app, chosen, bar)


async def _valid(app: App, wave: str, part: int, parts: int) -> None:
    """Rules over several fields; a form cannot hold them. Raises ValueError, NotFound."""
    row = await app.queries.wave(wave)
    if part >= parts:
        raise ValueError(f"there is no part {part} of {parts}: parts are counted from 0; nothing was begun")
    if row.numbers / parts > MOST_A_RUN:
        least = -(-row.numbers // MOST_A_RUN)
        raise ValueError(f"wave {wave} has {row.numbers} numbers: ask for {least} parts or more; nothing was begun")


async def mover_in_tasks(app: App, wave: str | None = None) -> RunOne:
    """`run_one` for a wave loop: each number in a task of its own, named by its reference."""
    refs = {at.migration_id: at.ref for at in await app.queries.board(wave=wave)}
    return lambda migration_id: in_task("move", refs.get(migration_id, "?"), lambda: app.mover.run_one(migration_id))


class _Bar:
    """One progress artifact a run, brought up to date every few seconds.

    It is a picture: a Prefect server that is lost in the middle must not keep a number from its next step.
    """

    def __init__(self, app: App, chosen: Slice) -> None:
        self._app = app
        self._chosen = chosen
        self._artifact: UUID | None = None
        self._told = float("-inf")

    async def tick(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._told < PROGRESS_EVERY_S:
            return
        self._told = time.monotonic()
        board = await mine(self._app, self._chosen)
        ended = sum(1 for at in board if at.ended_at is not None)
        with suppress(Exception):
            await self._show(100.0 * ended / len(board) if board else 100.0)

    async def _show(self, percent: float) -> None:
        if self._artifact is not None:
            await aupdate_progress_artifact(self._artifact, progress=percent)
            return
        key = _key(self._chosen)
        made: Any = await acreate_progress_artifact(percent, key=key, description=f"wave {self._chosen.wave}")
        self._artifact = made if isinstance(made, UUID) else getattr(made, "id", None)


async def mine(app: App, chosen: Slice) -> Sequence[Any]:
    """The numbers of this part of the wave, as they stand now."""
    return [at for at in await app.queries.board(wave=chosen.wave) if chosen.mine(at.migration_id)]


async def _closing(app: App, chosen: Slice, bar: _Bar) -> State[Any]:
    await bar.tick(now=True)
    now, board = await app.queries.now(), await mine(app, chosen)
    rows = [
        {
            "number": who(at),
            "itinerary": at.itinerary,
            "side": at.side.value,
            "status": true_status(at, now).value,
            "outage": outage(at, now),
            "why": at.reason or "",
            "next command": next_command(at, now),
        }
        for at in board
    ]
    await acreate_table_artifact(rows, key=f"{_key(chosen)}-table", description=f"how wave {chosen.wave} stands")
    left = [at for at in board if at.ended_at is None]
    said = f"{len(board) - len(left)} of {len(board)} numbers are at their end"
    log([said])
    return Completed(name="Completed" if not left else "Unfinished", message=said)


def _key(chosen: Slice) -> str:
    """Artifact keys take lower-case ASCII letters, digits and dashes."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in (chosen.wave or "").lower())
    return f"wave-{plain}-{chosen.part}"
