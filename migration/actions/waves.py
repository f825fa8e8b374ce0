"""Waves: planned, begun, held, released, stopped."""

from collections.abc import Sequence
from contextlib import suppress

from migration.actions.refused import Refused
from migration.bootstrap import App
from migration.waves.plan import Rule, chosen_by
from state.errors import Conflict
from state.ledger.waves import NewWave
from state.queries import WaveRow
from state.sides import Released, WaveState


async def plan_wave(app: App, new: NewWave, rule: Rule, limit: int | None) -> WaveRow:
    """Make a wave of the numbers that the rule picks and that are in none; low volume first.

    A planned wave of that name keeps its numbers, takes the new ones in and takes the new settings on.
    Raises Refused for a wave that has begun, or one that would be empty.
    """
    there = {row.name: row for row in await app.queries.waves()}
    picked = chosen_by(rule, await app.queries.unplanned(), limit)
    if new.name in there:
        if there[new.name].state is not WaveState.PLANNED:
            raise Refused(f"wave {new.name} is {there[new.name].state}; nothing was changed")
        await app.ledger.waves.settle(new, [one.migration_id for one in picked])
    elif not picked:
        raise Refused(f"no number without a wave matches the rule; wave {new.name} would be empty")
    else:
        await app.ledger.waves.make(new, [one.migration_id for one in picked])
    return await app.queries.wave(new.name)


async def begin_wave(app: App, name: str) -> WaveRow:
    """Let a planned wave run. A running one runs on. Raises NotFound, or Refused for one that was held or stopped."""
    row = await app.queries.wave(name)
    if row.numbers == 0:
        raise Refused(f"wave {name} is empty; nothing was started")
    if row.state is WaveState.PLANNED:
        with suppress(Conflict):  # somebody else may begin it in this very moment
            await app.ledger.waves.move(name, WaveState.RUNNING, allowed=[WaveState.PLANNED])
        return await app.queries.wave(name)
    if row.state in (WaveState.HELD, WaveState.HALTED, WaveState.STOPPED):
        because = f": {row.because}" if row.because else ""
        what = "that is for good" if row.state is WaveState.STOPPED else f"`cutover release {name}` lets it go"
        raise Refused(f"wave {name} is {row.state}{because}; {what}")
    return row


async def hold_wave(app: App, name: str, because: str) -> WaveRow:
    """No number of the wave passes its gate any more; those that have crossed go on to their end."""
    await app.ledger.waves.move(name, WaveState.HELD, allowed=[WaveState.PLANNED, WaveState.RUNNING], because=because)
    return await app.queries.wave(name)


async def stop_wave(app: App, name: str, because: str) -> WaveRow:
    """For good. Numbers that have not crossed stay where they are; they can be put into another wave by hand."""
    live = [WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED]
    await app.ledger.waves.move(name, WaveState.STOPPED, allowed=live, because=because)
    return await app.queries.wave(name)


async def release_wave(app: App, name: str, *, canary: bool, only: Sequence[str]) -> WaveRow:
    """Let a held or halted wave go on, and let more of it pass the gate: all, its canary, or some of its numbers.

    Raises Conflict or Refused when that much was released before and the wave is not held.
    """
    row = await app.queries.wave(name)
    held = row.state in (WaveState.HELD, WaveState.HALTED)
    if row.state in (WaveState.STOPPED, WaveState.DONE):
        raise Refused(f"wave {name} is {row.state}; nothing was changed")
    if only:
        await _release_some(app, name, only)
    else:
        await _release(app, row, Released.CANARY if canary else Released.ALL, held=held)
    if held:
        await app.ledger.waves.move(name, WaveState.RUNNING, allowed=[WaveState.HELD, WaveState.HALTED])
    return await app.queries.wave(name)


async def _release(app: App, row: WaveRow, released: Released, *, held: bool) -> None:
    order = list(Released)
    if order.index(released) > order.index(Released(row.released)):
        await app.ledger.waves.release(row.name, released)
    elif not held:
        raise Conflict(f"wave {row.name} is {row.state}, released for {row.released} already; nothing was changed")


async def _release_some(app: App, name: str, only: Sequence[str]) -> None:
    """Makes them part of what is released with the canary."""
    picked = []
    for named in only:
        at = await app.queries.find(named)
        if at.wave != name:
            where = f"wave {at.wave}" if at.wave else "no wave"
            raise Refused(f"{at.ref} is in {where}, not in {name}; nothing was changed")
        picked.append(at.migration_id)
    await app.ledger.waves.release_some(name, picked)
