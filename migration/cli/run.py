"""`cutover run`: move numbers from here, with no Prefect server at all."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress, TaskID

from migration.app import App
from migration.cli.confirming import open_for_change
from migration.cli.console import (
    ExitCode,
    Json,
    count_text,
    open_cli_app,
    print_json,
    print_line,
    progress_bar,
    run_verb,
    usage_error,
)
from migration.cli.status import number_document
from migration.operations.approval import recorded_rollback_options, released_numbers
from migration.operations.targets import find_target
from migration.operations.wave_wording import wave_line, window_ended_message
from migration.operations.waves import begin_wave
from migration.operations.wording import current_status, next_command, status_line
from migration.steps.rollback_options import summarize_rollbacks
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side, Status
from state.rows import Position, WaveRow

FULL_CONCURRENCY = 20


def run_(
    what: Annotated[
        str | None, typer.Argument(help="A wave, or one number; without it, every number that is due.")
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, max=200, help="How many numbers at once; default: the wave's own, or 20.")
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, max=86_400, help="Go on while something comes due within so many seconds.")
    ] = 30.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what each number's next step is, and change nothing anywhere.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move numbers as far as they can go now. Safe to stop and to run again at any time."""
    run_verb(_plan(what, as_json) if dry_run else _run(what, concurrency, timedelta(seconds=patience), as_json))


async def select_target(app: App, what: str | None) -> tuple[NumberSelection, list[Position]]:
    if what is not None and not what.strip():
        usage_error("which number or wave? `cutover status` lists both")
    if what is None:
        return NumberSelection(), list(await app.queries.positions.board())
    target = await find_target(app, what)
    if isinstance(target, WaveRow):
        return NumberSelection(wave=target.name), list(await app.queries.positions.board(wave=target.name))
    return NumberSelection(only={target.migration_id}), [target]


async def _plan(what: str | None, as_json: bool) -> int:
    async with open_for_change(dry_run=True) as app:
        picked, board = await select_target(app, what)
        wave = await _approval(app, picked.wave, board) if picked.wave is not None else None
        now = await app.queries.now()
    if as_json:
        ways = {"ways_back": wave[1]} if wave is not None else {}
        print_json({"dry_run": True, "numbers": [number_document(at, now, False) for at in board]} | ways)
        return ExitCode.DONE
    if wave is not None:
        print_line(f"{wave[0]}; ways back: {wave[1]}")
    for at in board:
        print_line(status_line(at, now))
    print_line("Nothing was changed.")
    return ExitCode.DONE


async def _approval(app: App, wave: str, board: Sequence[Position]) -> tuple[str, str]:
    """What would cross, and which of it could come back. Refused where the run itself would be."""
    row = await app.queries.waves.get(wave)
    await begin_wave(app, wave)
    going = released_numbers(row.released, board)
    return f"{wave_line(row)}; {count_text(len(going))} would cross in it", summarize_rollbacks(
        await recorded_rollback_options(app, going)
    )


async def _run(what: str | None, concurrency: int | None, patience: timedelta, as_json: bool) -> int:
    async with open_cli_app() as app:
        picked, board = await select_target(app, what)
        if picked.wave is not None:
            row = await begin_wave(app, picked.wave)
            concurrency = concurrency or row.concurrency
            ended = window_ended_message(row, await app.queries.now())
            if ended is not None:
                print_line(f"{ended}. What has crossed goes on.", as_json=as_json)
        elif not board:
            usage_error("there are no numbers to move; `cutover import FILE` takes some in")
        stop = _stop_on_signal()
        loop = WaveLoop(
            app, app.runner.run_one, concurrency=concurrency or FULL_CONCURRENCY, patience=patience, stop=stop
        )
        with progress_bar("moving", as_json=as_json) as bar:
            task = bar.add_task("", total=len(board))
            await loop.run(picked, lambda: _tick(app, what, bar, task))
        _, board = await select_target(app, what)
        for because in loop.rejected.values():
            print_line(because, as_json=as_json)
        return await _report(app, board, as_json, stopped=stop.is_set())


def _stop_on_signal() -> asyncio.Event:
    """The first Ctrl-C lets running steps end; the second one does not wait."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)
        loop.remove_signal_handler(signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    return stop


async def _tick(app: App, what: str | None, bar: Progress, task: TaskID) -> None:
    if bar.disable:
        return
    _, board = await select_target(app, what)
    ended = sum(1 for at in board if at.ended_at is not None)
    steps = Counter(at.next_step for at in board if at.status is Status.RUNNING)
    bar.update(task, completed=ended, description=", ".join(f"{n} {step}" for step, n in steps.most_common(4)))


async def _report(app: App, board: Sequence[Position], as_json: bool, *, stopped: bool) -> int:
    now = await app.queries.now()
    left = [at for at in board if at.ended_at is None]
    if as_json:
        print_json(
            {"numbers": [number_document(at, now, False) for at in board], "not_moved": len(left), "stopped": stopped}
        )
    else:
        _say_left(left, now)
        on_cloud = sum(1 for at in board if at.side is Side.CLOUD)
        print_line(f"{on_cloud} of {count_text(len(board))} on Cloud; {len(left)} not at their end.")
        if stopped:
            print_line("Stopped by hand; `cutover run` goes on from here.")
    return ExitCode.NOT_ALL_MOVED if left else ExitCode.DONE


def _say_left(left: Sequence[Position], now: Any) -> None:
    for at in left:
        advice = next_command(at, now)
        more = f"  next: {advice}" if current_status(at, now) is not Status.READY else ""
        print_line(status_line(at, now) + more)
