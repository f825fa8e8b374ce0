"""What a worker that was asked to stop says about the numbers that it leaves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from migration.cli.number_document import number_document
from migration.cli.output import count_text
from state.rows import Position


def stopped_document(left: Sequence[Position], now: datetime, *, stopped: bool) -> dict[str, Any]:
    """`left`: each number that was not at its end when the worker stopped; empty where nobody stopped it."""
    return {"stopped": stopped, "left": [number_document(position, now, False) for position in left] if stopped else []}


def stopped_line(left: Sequence[Position]) -> str:
    """How many numbers are left, and how many of them have crossed."""
    if not left:
        return "Stopped by hand; no number was left."
    crossed = sum(1 for position in left if position.crossed_at is not None)
    past = f"{crossed or 'none'} of them past the point of no return"
    return f"Stopped by hand: {count_text(len(left))} left, {past}. `cutover run` goes on from here."
