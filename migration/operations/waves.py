"""What a person can do to waves: plan, begin, hold, release and stop them.

`by` is the person, for the wave's history.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from migration.app import App
from migration.errors import OperationRefused
from migration.operations.approval import not_crossed
from migration.operations.wave_wording import ENDED_STATES, window_ended_message
from migration.scrubbing.masking import mask_numbers
from migration.waves.next_command import is_released, release_of
from migration.waves.plan import WaveRule, select_numbers
from migration.waves.window import Window, check_window_fits, window_of
from state.enums import Released, WaveState
from state.errors import Conflict, NotFound
from state.ledger.proofs import META, REPORTED
from state.ledger.wave_events import OURSELVES
from state.ledger.waves import NOT_OVER, NewWave
from state.proof import kept_by_reports
from state.rows import Position, WaveRow

MAX_CONCURRENCY = 200


async def plan_wave(
    app: App, wave: NewWave, rule: WaveRule, limit: int | None, by: str = OURSELVES, *, keep_names: bool = True
) -> WaveRow:
    """Make a wave of the numbers that the rule matches and that are in no wave; low volume first.

    A planned wave of that name keeps its numbers, and gets the new numbers and the new settings; `keep_names` is as in
    `Waves.replan`.
    Raises OperationRefused for a wave that has begun or would be empty, BadPlan for a window that is too short.
    """
    existing = next((row for row in await app.queries.waves.all() if row.name == wave.name), None)
    if existing is not None and existing.state is not WaveState.PLANNED:
        raise OperationRefused(f"wave {wave.name} is {existing.state}; nothing was changed")
    added = [row.migration_id for row in select_numbers(rule, await app.queries.fleet.unplanned(), limit)]
    if existing is None and not added:
        raise OperationRefused(f"no number without a wave matches the rule; wave {wave.name} would be empty")
    await _check_plan(app, wave, existing, added)
    if existing is None:
        await app.ledger.waves.create(wave, added, by=by)
    else:
        await app.ledger.waves.replan(wave, added, by=by, keep_names=keep_names)
    return await app.queries.waves.get(wave.name)


async def _check_plan(app: App, wave: NewWave, existing: WaveRow | None, added: Sequence[int]) -> None:
    """Check window and canary against the numbers. Settings that do not change were checked when they were typed."""
    board = await app.queries.positions.board()
    numbers = [position for position in board if position.wave == wave.name or position.migration_id in set(added)]
    window = Window(wave.window_start, wave.window_end, wave.time_zone)
    if added or existing is None or window != window_of(existing):
        check_window_fits(window, not_crossed(numbers), await app.queries.now())
    if wave.canary_size > len(numbers) and (existing is None or wave.canary_size != existing.canary_size):
        problem = f"a canary of {wave.canary_size} is more than the whole of wave {wave.name} ({len(numbers)})"
        raise OperationRefused(f"{problem}; nothing was changed")


async def change_window(app: App, name: str, window: Window, by: str = OURSELVES) -> WaveRow:
    """Give a wave another window, also after it has begun.

    Raises NotFound, OperationRefused once the wave has ended, BadPlan for a window that is too short.
    """
    row = await app.queries.waves.get(name)
    if row.state in ENDED_STATES:
        raise OperationRefused(f"wave {name} is {row.state}; nothing was changed")
    check_window_fits(window, not_crossed(await app.queries.positions.board(wave=name)), await app.queries.now())
    await app.ledger.waves.set_window(name, window.start, window.end, window.time_zone, by=by)
    return await app.queries.waves.get(name)


async def change_concurrency(app: App, name: str, concurrency: int, by: str = OURSELVES) -> WaveRow:
    """How many numbers of the wave move at once, also after it has begun; those that move now go on.

    Raises NotFound, Conflict once the wave has ended, OperationRefused for a figure that no wave can have.
    """
    if not 1 <= concurrency <= MAX_CONCURRENCY:
        raise OperationRefused(f"a wave moves 1 to {MAX_CONCURRENCY} numbers at once; nothing was changed")
    await app.ledger.waves.set_concurrency(name, concurrency, by=by)
    return await app.queries.waves.get(name)


async def begin_wave(app: App, name: str, by: str = OURSELVES) -> WaveRow:
    """Set a planned wave running; a running wave stays so.

    Raises NotFound, or OperationRefused for a wave that is empty, held or stopped, whose window has ended, or of whose
    accounts Meta has reported what halts a running wave: it is halted before its first number, until it is released.
    """
    board = await app.queries.positions.board(wave=name)
    await _halt_before_its_first_number(app, name, board)
    row = await app.queries.waves.get(name)
    reject_empty_wave(row, board)
    if row.state in (WaveState.HELD, WaveState.HALTED, WaveState.STOPPED):
        reason = f": {row.because}" if row.because else ""
        advice = "that is for good" if row.state is WaveState.STOPPED else f"`{release_of(row)}` lets it go"
        raise OperationRefused(f"wave {name} is {row.state}{reason}; {advice}")
    crossing = any(position.crossed_at is not None and position.ended_at is None for position in board)
    if not_crossed(board) and not crossing:
        reject_ended_window(row, await app.queries.now())  # numbers that have crossed must end, window or not
    if row.state is WaveState.PLANNED:
        with suppress(Conflict):  # another worker may begin it at the same time
            await app.ledger.waves.set_state(name, WaveState.RUNNING, allowed=[WaveState.PLANNED], by=by)
    return await app.queries.waves.get(name)


async def _halt_before_its_first_number(app: App, name: str, board: Sequence[Position]) -> None:
    """Where it is only planned, and an account of it is restricted, say: else it would not hear of that any more."""
    now = await app.queries.now()
    if any(kept_by_reports(position, now) for position in not_crossed(board)):
        with suppress(Conflict):  # it runs already, or a person has decided about it
            await app.ledger.waves.set_state(
                name, WaveState.HALTED, allowed=[WaveState.PLANNED], because=REPORTED, by=META
            )


def reject_empty_wave(row: WaveRow, board: Sequence[Position]) -> None:
    """Raises OperationRefused with the command that puts numbers into the wave.

    A wave becomes empty when all its numbers begin a new migration, which is in no wave.
    """
    if board:
        return
    if row.state is WaveState.PLANNED:
        advice = f"`cutover plan {row.name} --rule RULE` puts numbers into it"
    else:
        advice = "`cutover plan NAME` makes a new one"
    raise OperationRefused(f"wave {row.name} is empty; {advice}")


def reject_ended_window(row: WaveRow, now: datetime) -> None:
    """Raises OperationRefused if the wave's window has ended: none of its numbers could cross."""
    message = window_ended_message(row, now)
    if message is not None:
        raise OperationRefused(message)


async def hold_wave(app: App, name: str, because: str, by: str = OURSELVES) -> WaveRow:
    """From now on no number of the wave passes its gate. Numbers that have crossed continue to their end."""
    await app.ledger.waves.set_state(
        name, WaveState.HELD, allowed=[WaveState.PLANNED, WaveState.RUNNING], because=because, by=by
    )
    return await app.queries.waves.get(name)


async def stop_wave(app: App, name: str, because: str, by: str = OURSELVES) -> WaveRow:
    """End a wave for good. Numbers that have not crossed stay where they are until each is aborted."""
    await app.ledger.waves.set_state(name, WaveState.STOPPED, allowed=NOT_OVER, because=because, by=by)
    return await app.queries.waves.get(name)


async def release_wave(app: App, name: str, *, canary: bool, only: Sequence[str], by: str = OURSELVES) -> WaveRow:
    """Let a held or halted wave continue, and let all of it, only its canary, or only some of its numbers cross.

    A release of less than before narrows it; numbers that have crossed go on. Raises Conflict if exactly that was
    released before and the wave is not held, OperationRefused for a wave that has ended or has no canary.
    """
    row = await app.queries.waves.get(name)
    held = row.state in (WaveState.HELD, WaveState.HALTED)
    if row.state in ENDED_STATES:
        raise OperationRefused(f"wave {name} is {row.state}; nothing was changed")
    reject_ended_window(row, await app.queries.now())
    if canary and not row.canary:
        advice = f"`cutover release {name} --only N-0001` lets single numbers cross"
        raise OperationRefused(f"wave {name} has no canary; {advice}; nothing was changed")
    if only:
        await _release_some(app, row, only, by, held=held)
    else:
        await _release(app, row, Released.CANARY if canary else Released.ALL, by, held=held)
    if held:
        allowed = [WaveState.HELD, WaveState.HALTED]
        await app.ledger.waves.set_state(name, WaveState.RUNNING, allowed=allowed, by=by)
    return await app.queries.waves.get(name)


async def _release(app: App, row: WaveRow, released: Released, by: str, *, held: bool) -> None:
    if released != row.released or row.named_left:
        await app.ledger.waves.release(row.name, released, by=by)
    elif not held:
        raise Conflict(
            f"wave {row.name} is {row.state}, released for {row.released} already; nothing was changed; "
            f"`cutover run {row.name}` moves it"
        )


async def find_wave_numbers(app: App, wave: str, numbers: Sequence[str]) -> list[Position]:
    """The named numbers. Raises NotFound, or OperationRefused for one that is not in the wave."""
    positions = []
    for number in numbers:
        position = await _find_number(app, number)
        if position.wave != wave:
            actual = f"wave {position.wave}" if position.wave else "no wave"
            raise OperationRefused(f"{position.ref} is in {actual}, not in {wave}; nothing was changed")
        positions.append(position)
    return positions


async def _find_number(app: App, number: str) -> Position:
    """Raises NotFound, which says which of several numbers was not found."""
    try:
        return await app.queries.positions.find(number)
    except NotFound as exc:
        raise NotFound(f"--only {mask_numbers(number)!r}: {exc}") from exc


async def _release_some(app: App, row: WaveRow, only: Sequence[str], by: str, *, held: bool) -> None:
    """Release these numbers, beside what else is released of less than all. Raises Conflict if all were before."""
    numbers = await find_wave_numbers(app, row.name, only)
    for position in numbers:
        if position not in not_crossed(numbers):
            state = "has ended" if position.ended_at is not None else "has crossed"
            raise OperationRefused(f"{position.ref} {state} already; nothing was changed")
    narrows = row.released == Released.ALL
    if not held and not narrows and all(is_released(position, row.released) for position in numbers):
        refs = ", ".join(position.ref for position in numbers)
        problem = f"wave {row.name} is {row.state}, and released for {refs} already"
        raise Conflict(f"{problem}; nothing was changed; `cutover run {row.name}` moves it")
    await app.ledger.waves.release_numbers(row.name, [position.migration_id for position in numbers], by=by)
