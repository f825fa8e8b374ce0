"""`cutover run`: move numbers from this machine, without a Prefect server."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from migration.app import App
from migration.cli.exit_codes import ExitCode
from migration.cli.home_line import home_fields, print_home
from migration.cli.number_document import number_document
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, progress_bar
from migration.cli.paused_senders import paused_document, paused_lines
from migration.cli.rehearsal import open_for_change
from migration.cli.running import run_verb, usage_error
from migration.cli.session import open_cli_app, operator_name
from migration.cli.status import proof_lines
from migration.cli.stopped import stopped_document, stopped_line
from migration.cli.target import select_target
from migration.operations.approval import recorded_rollback_options, released_numbers
from migration.operations.at_the_phone import READY_FOR
from migration.operations.codes_needed import needs_code
from migration.operations.housekeeping import destroy_what_is_due
from migration.operations.service_wording import finding_text
from migration.operations.wave_wording import wave_line, window_ended_message
from migration.operations.waves import begin_wave
from migration.operations.wording import status_line
from migration.steps.rollback_options import summarize_rollbacks
from migration.waves.loop import NumberSelection, WaveLoop
from migration.waves.next_command import current_status, next_command
from migration.waves.proofs import await_deliveries, without_a_proof
from state.enums import Side, Status
from state.ledger.readiness import AtThePhone
from state.proof import not_proved
from state.rows import Position

DEFAULT_CONCURRENCY = 20
COUNTED_EVERY_S = 1.0


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
    """Move numbers as far as they can go now. Safe to stop and to run again at any time.

    Exit code 3: some are not at their end, or senders are still paused. 4: all are moved, and some have not shown that
    they work.
    """
    if dry_run:
        run_verb(_dry_run(what, as_json))
    run_verb(_run(what, concurrency, timedelta(seconds=patience), as_json), ends_itself=True)


async def _dry_run(name: str | None, as_json: bool) -> int:
    async with open_for_change(dry_run=True) as app:
        selection, board = await select_target(app, name)
        lines: list[str] = []
        rollbacks: dict[str, str] = {}
        if selection.wave is not None:
            crossing, summary = await _describe_wave(app, selection.wave, board)
            lines, rollbacks = [f"{crossing}; ways back: {summary}"], {"ways_back": summary}
        now = await app.queries.now()
    if as_json:
        numbers = [number_document(position, now, False) for position in board]
        print_json(home_fields(app.settings, app.home) | {"dry_run": True, "numbers": numbers} | rollbacks)
        return ExitCode.DONE
    print_home(app.settings, app.home, as_json=as_json)
    for line in [*lines, *(status_line(position, now) for position in board)]:
        print_line(line)
    print_line("Nothing was changed.")
    return ExitCode.DONE


async def _describe_wave(app: App, wave: str, board: Sequence[Position]) -> tuple[str, str]:
    """How many numbers would cross, and how many of them could go back. Raises what `begin_wave` raises."""
    row = await app.queries.waves.get(wave)
    crossing = released_numbers(row, board)
    rollbacks = summarize_rollbacks(await recorded_rollback_options(app.queries, crossing))
    # Last: from the first change on, PostgreSQL holds the rows that it concerns.
    await begin_wave(app, wave, operator_name())
    return f"{wave_line(row)}; {count_text(len(crossing))} would cross in it", rollbacks


async def _run(name: str | None, concurrency: int | None, patience: timedelta, as_json: bool) -> int:
    async with open_cli_app() as app:
        selection, board = await select_target(app, name)
        print_home(app.settings, app.home, as_json=as_json)
        if selection.wave is not None and not app.stop.requested:
            concurrency = await _begin_wave(app, selection, concurrency, as_json)
        elif selection.only is not None and not app.stop.requested:
            await _somebody_is_there(app, board)
        elif not board:
            usage_error("there are no numbers to move; `cutover import FILE` takes some in")
        concurrency = concurrency or DEFAULT_CONCURRENCY
        loop = WaveLoop(app, app.runner.run_one, concurrency=concurrency, patience=patience)
        with progress_bar("moving", as_json=as_json) as bar:
            progress = _Progress(app, selection, bar, bar.add_task("", total=len(board)))
            await loop.run(selection, progress.update)
        await await_deliveries(app, selection.includes, selection.wave, patience)
        await destroy_what_is_due(app)
        _, board = await select_target(app, name)
        for reason in loop.rejected.values():
            print_line(reason, as_json=as_json)
        return await _report(app, board, as_json)


async def _somebody_is_there(app: App, board: Sequence[Position]) -> None:
    """Whoever types the name of one number is ready for its code, or has its customer at the phone."""
    for position in board:
        if position.ended_at is None and needs_code(position):
            at_phone = AtThePhone("run", operator_name(), READY_FOR)
            await app.ledger.readiness.say(position.migration_id, at_phone)


async def _begin_wave(app: App, selection: NumberSelection, concurrency: int | None, as_json: bool) -> int:
    """Returns how many numbers this process tries at once: what was typed, and not more than the wave allows.

    Those beyond it would be refused, and tried again after each number that ends.
    """
    assert selection.wave is not None
    row = await begin_wave(app, selection.wave, operator_name())
    ended = window_ended_message(row, await app.queries.now())
    if ended is not None:
        print_line(f"{ended}. What has crossed goes on.", as_json=as_json)
    return min(concurrency or row.concurrency, row.concurrency)


class _Progress:
    """The bar. A wave goes round with each number that ends, and the numbers are counted once a second at most."""

    def __init__(self, app: App, selection: NumberSelection, bar: Progress, task: TaskID) -> None:
        self._app, self._selection, self._bar, self._task = app, selection, bar, task
        self._next = 0.0

    async def update(self) -> None:
        now = self._app.clock.boot_time()
        if self._bar.disable or now < self._next:
            return
        self._next = now + COUNTED_EVERY_S
        found = await self._app.queries.positions.progress(wave=self._selection.wave, only=self._selection.only)
        description = ", ".join(f"{count} {step}" for step, count in Counter(found.running).most_common(4))
        self._bar.update(self._task, completed=found.ended, description=description)


async def _report(app: App, board: Sequence[Position], as_json: bool) -> int:
    now, stopped = await app.queries.now(), app.stop.requested
    live = [position for position in board if position.ended_at is None]
    ours = {position.number_id for position in board}
    paused = [position for position in await app.queries.positions.paused() if position.number_id in ours]
    lines = paused_lines(paused, now)
    unproved = not_proved(board)
    missing = await without_a_proof(app, unproved)
    exit_code = ExitCode.NOT_ALL_PROVED if missing else ExitCode.DONE
    if live or lines:
        exit_code = ExitCode.NOT_ALL_MOVED
    if as_json:
        numbers = [number_document(position, now, False) for position in board]
        document = {
            "numbers": numbers,
            "not_moved": len(live),
            "not_proved": len(unproved),
            "paused_senders": paused_document(paused),
        }
        document |= home_fields(app.settings, app.home)
        print_json(document | stopped_document(live, now, stopped=stopped))
        return exit_code
    for position in live:
        _print_live(position, now, stopped=stopped)
    on_cloud = sum(1 for position in board if position.side is Side.CLOUD)
    print_line(f"{on_cloud} of {count_text(len(board))} on Cloud; {len(live)} not at their end.")
    for line in proof_lines(board):
        print_line(line)
    for line in [*filter(None, map(finding_text, live)), *lines]:
        print_line(line)
    if stopped:
        print_line(stopped_line(live))
    return exit_code


def _print_live(position: Position, now: datetime, *, stopped: bool) -> None:
    is_ready = current_status(position, now) is Status.READY and not stopped
    advice = "" if is_ready else f"  next: {next_command(position, now)}"
    print_line(status_line(position, now) + advice)
