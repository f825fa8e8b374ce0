"""When a wave stops itself: too many of its numbers have failed."""

from collections.abc import Sequence

from state.queries import WaveRow
from state.rows import Position
from state.sides import Side, Status


def failed(at: Position) -> bool:
    """Blocked, or dark since a call of ours: both need a person."""
    return at.status is Status.BLOCKED or (at.dark_by_us and at.side is Side.NEITHER)


def why_halt(wave: WaveRow, numbers: Sequence[Position]) -> str | None:
    """The reason to halt, or None. The share counts over the numbers that have begun to fail or have ended."""
    count = sum(1 for at in numbers if failed(at))
    if wave.halt_count is not None and count >= wave.halt_count:
        return f"{count} numbers failed; the halt rule allows {wave.halt_count - 1}"
    settled = count + sum(1 for at in numbers if at.ended_at is not None)
    if wave.halt_share is not None and count and settled and count / settled > wave.halt_share:
        return f"{count} of {settled} numbers failed; the halt rule allows {wave.halt_share:.0%}"
    return None
