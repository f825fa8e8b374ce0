"""`cutover status`: what is true of every number, what is down and since when, whose move it is."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    ShowNumbers,
    count_text,
    open_cli_app,
    print_json,
    print_line,
    print_table,
    run_verb,
)
from migration.clients.masking import masked
from migration.operations.wave_wording import next_wave_command
from migration.operations.wording import current_status, dark_seconds, next_command, outage_text, whose_move
from state.rows import Position, WaveRow

WORDS = {"neither": "neither side", "on_premises": "On-Premises", "cloud": "Cloud", "unknown": "an unknown side"}


def status(
    wave: Annotated[str | None, typer.Argument(help="Only the numbers of this wave.")] = None,
    as_json: Json = False,
    show_numbers: ShowNumbers = False,
) -> None:
    """Show every number: side, status, outage, whose move, what to type next."""
    run_verb(_status(wave, as_json, show_numbers))


async def _status(wave: str | None, as_json: bool, show_numbers: bool) -> int:
    async with open_cli_app(dry_run=True) as app:
        if wave is not None:
            await app.queries.waves.get(wave)
        board = await app.queries.positions.board(wave=wave)
        others = await app.queries.fleet.without_migration() if wave is None else ()
        waves = [row for row in await app.queries.waves.all() if wave in (None, row.name)]
        profiles = [row for row in await app.queries.fleet.profiles() if row["halted_at"] is not None]
        now = await app.queries.now()
    if as_json:
        print_json(_document(board, others, waves, now, show_numbers))
        return ExitCode.DONE
    _print(board, others, waves, now, show_numbers)
    for row in profiles:
        print_line(
            f"credential profile {row['name']} is halted: {row['halted_because']}; see `cutover runbook token-refused`"
        )
    return ExitCode.DONE


def _document(
    board: Sequence[Position], others: Sequence[Any], waves: Sequence[WaveRow], now: datetime, show: bool
) -> dict[str, Any]:
    return {
        "now": now,
        "numbers": [number_document(at, now, show) for at in board],
        "ended_otherwise": [
            {"ref": row["ref"], "disposition": row["disposition"], "reason": row["disposition_reason"]}
            for row in others
        ],
        "waves": [
            {"name": w.name, "state": w.state, "released": w.released, "numbers": w.numbers, "because": w.because}
            for w in waves
        ],
    }


def number_document(at: Position, now: datetime, show: bool) -> dict[str, Any]:
    """One number as JSON."""
    return {
        "ref": at.ref,
        "number": at.e164 if show else masked(at.e164),
        "customer": at.customer,
        "wave": at.wave,
        "itinerary": at.itinerary,
        "side": at.side,
        "status": current_status(at, now),
        "next_step": at.next_step,
        "dark_s": dark_seconds(at, now),
        "dark_by_us": at.dark_by_us,
        "outage_s": at.outage_seconds,
        "sender_gap_s": at.sender_gap_seconds,
        "on": whose_move(at, now),
        "until": at.waiting_until,
        "reason": at.reason,
        "runbook": at.runbook,
        "next_command": next_command(at, now),
    }


def _print(
    board: Sequence[Position], others: Sequence[Any], waves: Sequence[WaveRow], now: datetime, show: bool
) -> None:
    if not board and not others and not waves:
        print_line("There are no numbers. Next: `cutover import FILE`.")
        return
    rows = [
        (
            at.ref,
            at.e164 if show else masked(at.e164),
            at.itinerary,
            at.side.value,
            current_status(at, now).value,
            at.next_step or "-",
            outage_text(at, now),
            whose_move(at, now),
            next_command(at, now),
        )
        for at in sorted(board, key=lambda at: (-(dark_seconds(at, now) or 0.0), at.number_id))
    ]
    columns = ("number", "", "itinerary", "side", "status", "step", "outage", "move", "next command")
    print_table("", columns, rows)
    for row in others:
        ended = row["disposition"] or "no migration yet: `cutover preflight`"
        print_line(f"{row['ref']}  {ended}  {row['disposition_reason'] or ''}")
    for wave in waves:
        said = f": {wave.because}" if wave.because else ""
        next_one = f"; next: {command}" if (command := next_wave_command(wave, now)) is not None else ""
        print_line(
            f"wave {wave.name}: {wave.state}, {count_text(wave.numbers)}, released for {wave.released}{said}{next_one}"
        )
    _sums(board, now)


def _sums(board: Sequence[Position], now: datetime) -> None:
    sides = Counter(at.side.value for at in board)
    dark = [at for at in board if at.dark_by_us and dark_seconds(at, now) is not None]
    said = ", ".join(f"{count} on {WORDS.get(side, side)}" for side, count in sides.items())
    print_line(f"{count_text(len(board))}: {said or 'none'}. Dark by us: {len(dark)}.")
