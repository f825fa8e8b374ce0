"""Waves: planned, begun, held, released, stopped."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from migration.app import App
from migration.clients.masking import without_numbers
from migration.errors import OperationRefused
from migration.operations.approval import not_crossed
from migration.waves.plan import WaveRule, Window, check_window_fits, select_numbers, window_of
from migration.waves.schedule import window_ended_message
from state.enums import Released, WaveState
from state.errors import Conflict, NotFound
from state.ledger.waves import NewWave
from state.queries import WaveRow
from state.rows import Position

ENDED_STATES = (WaveState.STOPPED, WaveState.DONE)


async def plan_wave(app: App, new: NewWave, rule: WaveRule, limit: int | None) -> WaveRow:
    """Make a wave of the numbers that the rule picks and that are in none; low volume first.

    A planned wave of that name keeps its numbers, takes the new ones in and takes the new settings on.
    Raises OperationRefused for a wave that has begun or would be empty, BadPlan for a window that is too short.
    """
    there = next((row for row in await app.queries.waves() if row.name == new.name), None)
    if there is not None and there.state is not WaveState.PLANNED:
        raise OperationRefused(f"wave {new.name} is {there.state}; nothing was changed")
    picked = [one.migration_id for one in select_numbers(rule, await app.queries.unplanned(), limit)]
    if there is None and not picked:
        raise OperationRefused(f"no number without a wave matches the rule; wave {new.name} would be empty")
    await _check(app, new, there, picked)
    put = app.ledger.waves.make if there is None else app.ledger.waves.settle
    await put(new, picked)
    return await app.queries.wave(new.name)


async def _check(app: App, new: NewWave, there: WaveRow | None, picked: Sequence[int]) -> None:
    """Whether window and canary go with the numbers. What stays as it is was checked when it was typed."""
    numbers = [at for at in await app.queries.board() if at.wave == new.name or at.migration_id in set(picked)]
    window = Window(new.window_start, new.window_end, new.time_zone)
    if picked or there is None or window != window_of(there):
        check_window_fits(window, not_crossed(numbers), await app.queries.now())
    if new.canary_size > len(numbers) and (there is None or new.canary_size != there.canary_size):
        said = f"a canary of {new.canary_size} is more than the whole of wave {new.name} ({len(numbers)})"
        raise OperationRefused(f"{said}; nothing was changed")


async def change_window(app: App, name: str, window: Window) -> WaveRow:
    """Give a wave another window, also once it has begun. Raises OperationRefused once it is over, BadPlan."""
    row = await app.queries.wave(name)
    if row.state in ENDED_STATES:
        raise OperationRefused(f"wave {name} is {row.state}; nothing was changed")
    check_window_fits(window, not_crossed(await app.queries.board(wave=name)), await app.queries.now())
    await app.ledger.waves.set_window(name, window.start, window.end, window.time_zone)
    return await app.queries.wave(name)


async def begin_wave(app: App, name: str) -> WaveRow:
    """Let a planned wave run. A running one runs on.

    Raises NotFound, or OperationRefused for one that is empty, held, stopped, or whose window has ended.
    """
    row = await app.queries.wave(name)
    board = await app.queries.board(wave=name)
    reject_empty_wave(row, board)
    if row.state in (WaveState.HELD, WaveState.HALTED, WaveState.STOPPED):
        because = f": {row.because}" if row.because else ""
        what = "that is for good" if row.state is WaveState.STOPPED else f"`cutover release {name}` lets it go"
        raise OperationRefused(f"wave {name} is {row.state}{because}; {what}")
    if not_crossed(board) and not any(at.crossed_at is not None and at.ended_at is None for at in board):
        reject_ended_window(row, await app.queries.now())  # what has crossed has to come to its end, window or not
    if row.state is WaveState.PLANNED:
        with suppress(Conflict):  # somebody else may begin it in this very moment
            await app.ledger.waves.move(name, WaveState.RUNNING, allowed=[WaveState.PLANNED])
    return await app.queries.wave(name)


def reject_empty_wave(row: WaveRow, board: Sequence[Position]) -> None:
    """Raises OperationRefused with the command that fills the wave. Its numbers may have left it since."""
    if board:
        return
    if row.state is WaveState.PLANNED:
        what = f"`cutover plan {row.name} --rule RULE` puts numbers into it"
    else:
        what = "`cutover plan NAME` makes a new one"
    raise OperationRefused(f"wave {row.name} is empty; {what}")


def reject_ended_window(row: WaveRow, now: datetime) -> None:
    """Raises OperationRefused for a wave whose window is over: nothing of it could cross."""
    said = window_ended_message(row, now)
    if said is not None:
        raise OperationRefused(said)


async def hold_wave(app: App, name: str, because: str) -> WaveRow:
    """No number of the wave passes its gate any more; those that have crossed go on to their end."""
    await app.ledger.waves.move(name, WaveState.HELD, allowed=[WaveState.PLANNED, WaveState.RUNNING], because=because)
    return await app.queries.wave(name)


async def stop_wave(app: App, name: str, because: str) -> WaveRow:
    """For good. Numbers that have not crossed stay where they are until each is aborted."""
    live = [WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED]
    await app.ledger.waves.move(name, WaveState.STOPPED, allowed=live, because=because)
    return await app.queries.wave(name)


async def release_wave(app: App, name: str, *, canary: bool, only: Sequence[str]) -> WaveRow:
    """Let a held or halted wave go on, and let more of it pass the gate: all, its canary, or some of its numbers.

    Raises Conflict or OperationRefused when that much was released before and the wave is not held.
    """
    row = await app.queries.wave(name)
    held = row.state in (WaveState.HELD, WaveState.HALTED)
    if row.state in ENDED_STATES:
        raise OperationRefused(f"wave {name} is {row.state}; nothing was changed")
    reject_ended_window(row, await app.queries.now())
    if row.released == Released.ALL and (canary or only):
        raise _released_before(row)  # letting it go on would let all of it go, which is not what was typed
    if only:
        await _release_some(app, row, only, held=held)
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
        raise _released_before(row)


def _released_before(row: WaveRow) -> Conflict:
    going = row.state in (WaveState.PLANNED, WaveState.RUNNING)
    what = f"`cutover run {row.name}` moves it" if going else f"`cutover release {row.name}` lets all of it go on"
    return Conflict(f"wave {row.name} is {row.state}, released for {row.released} already; nothing was changed; {what}")


async def find_wave_numbers(app: App, name: str, only: Sequence[str]) -> list[Position]:
    """The numbers named, all of this wave. Raises NotFound, OperationRefused."""
    picked = []
    for named in only:
        at = await _found(app, named)
        if at.wave != name:
            where = f"wave {at.wave}" if at.wave else "no wave"
            raise OperationRefused(f"{at.ref} is in {where}, not in {name}; nothing was changed")
        picked.append(at)
    return picked


async def _found(app: App, named: str) -> Position:
    """Of several that were named, the error says which."""
    try:
        return await app.queries.find(named)
    except NotFound as exc:
        raise NotFound(f"--only {without_numbers(named)!r}: {exc}") from exc


async def _release_some(app: App, row: WaveRow, only: Sequence[str], *, held: bool) -> None:
    """Makes them part of what is released with the canary. Raises Conflict when they all were before."""
    picked = await find_wave_numbers(app, row.name, only)
    for at in picked:
        if at not in not_crossed(picked):
            said = "has ended" if at.ended_at is not None else "has crossed"
            raise OperationRefused(f"{at.ref} {said} already; nothing was changed")
    if not held and row.released == Released.CANARY and all(at.canary for at in picked):
        refs = ", ".join(at.ref for at in picked)
        said = f"wave {row.name} is {row.state}, and released for {refs} already"
        raise Conflict(f"{said}; nothing was changed; `cutover run {row.name}` moves it")
    await app.ledger.waves.release_some(row.name, [at.migration_id for at in picked])
