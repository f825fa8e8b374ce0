"""The written account of a fleet or of one wave: what was decided, what was moved, what is proved, what is left.

Pure functions: `now` is the database's time, aware, in UTC. Outages are in seconds, from readings.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any

from migration.operations.proof_wording import PAGE, proof_text, why_not_proved
from migration.operations.service_wording import dark_bounds, outage_text, side_text
from migration.operations.wave_wording import wave_event_document, wave_event_text, wave_line
from migration.operations.wording import reason_text, shown_number, whose_move
from migration.scrubbing.rendering import for_markdown
from migration.waves.next_command import current_status, next_command
from state.enums import Side, Status
from state.proof import Proof, is_moved, proof_of
from state.rows import AnyPosition, WaveEventRow, WaveRow

COLUMNS = ("number", "", "customer", "itinerary", "status", "side", "service", "crossed", "ended", "outage", "gap")
LEFT = ("number", "", "status", "move", "why", "next command")


def figures(board: Sequence[AnyPosition], now: datetime) -> dict[str, Any]:
    """What the numbers add up to. `outage_s`: of numbers that our calls took off; `gap_s`: while senders were held."""
    outages = sorted(row.outage_seconds for row in board if row.outage_seconds is not None)
    gaps = sorted(row.sender_gap_seconds for row in board if row.sender_gap_seconds is not None)
    moved = [row for row in board if is_moved(row)]
    return {
        "numbers": len(board),
        "moved": len(moved),
        "in_service": sum(1 for row in moved if proof_of(row) is Proof.IN_SERVICE),
        "not_proved": sum(1 for row in moved if proof_of(row) is Proof.NOT_PROVED),
        "aborted": sum(1 for row in board if row.status is Status.ABORTED),
        "blocked": sum(1 for row in board if row.status is Status.BLOCKED),
        "not_ended": sum(1 for row in board if row.ended_at is None),
        "dark_now": sum(1 for row in board if dark_bounds(row, now) is not None),
        "outage_s": _spread(outages),
        "gap_s": _spread(gaps),
    }


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    """The middle, the 99th of 100 and the longest, each of which has really occurred; None where there is none."""
    if not values:
        return {"p50": None, "p99": None, "longest": None}
    return {"p50": nearest_rank(values, 0.5), "p99": nearest_rank(values, 0.99), "longest": values[-1]}


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest that so large a share does not exceed, so that it has really occurred. Sorted; at least one."""
    return values[max(ceil(share * len(values)), 1) - 1]


def wave_document(row: WaveRow, events: Sequence[WaveEventRow]) -> dict[str, Any]:
    return {"name": row.name, "state": row.state, "decisions": [wave_event_document(event) for event in events]}


def report_lines(
    title: str,
    now: datetime,
    waves: Mapping[str, tuple[WaveRow, Sequence[WaveEventRow]]],
    board: Sequence[AnyPosition],
    *,
    show_numbers: bool = False,
) -> Iterator[str]:
    """The account as lines of Markdown."""
    yield f"# {for_markdown(title)}"
    yield f"\nAs of {now:%Y-%m-%d %H:%M:%S} UTC. Sides, outages and proofs are as of their last readings.\n"
    yield "## Figures\n"
    yield from _table(("what", "count"), _figure_rows(figures(board, now)))
    for row, events in waves.values():
        yield f"\n## Wave {for_markdown(row.name)}\n"
        yield for_markdown(f"{wave_line(row)}.") + "\n"
        decisions = [(f"{event.at:%Y-%m-%d %H:%M:%S}", wave_event_text(event)) for event in events]
        yield from _table(("UTC", "decision"), decisions)
    yield "\n## Numbers\n"
    rows = [_number_row(position, now, show_numbers) for position in board]
    yield from _table(COLUMNS, rows, show_numbers=show_numbers)
    left = [position for position in board if _is_left(position)]
    if left:
        yield "\n## Left to do\n"
        rows = [_left_row(position, now, show_numbers) for position in left]
        yield from _table(LEFT, rows, show_numbers=show_numbers)


def _figure_rows(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "numbers", str(found["numbers"])
    yield "moved to Cloud", str(found["moved"])
    yield "of them in service (a message has gone each way)", str(found["in_service"])
    yield "of them not proved", str(found["not_proved"])
    yield "ended before the crossing", str(found["aborted"])
    yield "blocked", str(found["blocked"])
    yield "not at their end", str(found["not_ended"])
    yield "on neither side now", str(found["dark_now"])
    for name, key in (("outage", "outage_s"), ("senders held", "gap_s")):
        spread = found[key]
        if spread["longest"] is not None:
            values = [f"{spread[part]:.1f} s" for part in ("p50", "p99", "longest")]
            yield f"{name}: middle, 99 of 100, longest", ", ".join(values)


def _number_row(position: AnyPosition, now: datetime, show_numbers: bool) -> tuple[str, ...]:
    gap = position.sender_gap_seconds
    return (
        position.ref,
        shown_number(position, show_numbers),
        position.customer,
        position.itinerary,
        current_status(position, now).value,
        side_text(position, now),
        proof_text(position),
        _time_text(position.crossed_at),
        _time_text(position.ended_at),
        outage_text(position, now),
        f"{gap:.1f} s" if gap is not None else "-",
    )


def _is_left(position: AnyPosition) -> bool:
    """Not at its end, or moved and not proved."""
    return position.ended_at is None or (position.side is Side.CLOUD and why_not_proved(position) is not None)


def _left_row(position: AnyPosition, now: datetime, show_numbers: bool) -> tuple[str, ...]:
    ended = position.ended_at is not None
    command = f"cutover runbook {PAGE} {position.ref}" if ended else next_command(position, now)
    return (
        position.ref,
        shown_number(position, show_numbers),
        current_status(position, now).value,
        whose_move(position, now),
        why_not_proved(position) or reason_text(position, now) or "-",
        f"`{command}`",
    )


def _time_text(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else "-"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, show_numbers: bool = False) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        cells = (for_markdown(cell, show_numbers=show_numbers) for cell in row)
        yield f"| {' | '.join(cells)} |"
