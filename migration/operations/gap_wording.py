"""What was lost between the two platforms, as far as it can be known. Pure functions.

Neither platform reports what it did not take, so some of it is named and cannot be counted.
"""

from collections.abc import Mapping
from typing import Any

from state.enums import Side
from state.rows import FindingRow, Position


def gap_lines(position: Position, results: Mapping[str, FindingRow]) -> list[dict[str, Any]]:
    """`lost`: how many, None where nobody can know. Empty for a number that has not crossed."""
    if position.crossed_at is None:
        return []
    drain = results.get("drain")
    lines = [_callbacks(position, drain)] if drain is not None else []
    return [*lines, _inbound(position), _outbound(position)]


def _line(what: str, lost: int | None, said: str) -> dict[str, Any]:
    return {"what": what, "lost": lost, "said": said}


def _callbacks(position: Position, drain: FindingRow) -> dict[str, Any]:
    facts = drain.facts
    if "left" in facts:
        if facts["left"] is None:
            return _line("callbacks", None, "the client did not tell how many it still held; they were lost with it")
        return _line("callbacks", int(facts["left"]), f"{facts['left']} that the client still held were lost with it")
    if "nothing_to_drain" in facts:
        return _line("callbacks", None, "the client did not serve, so what it still held cannot be known")
    assert position.crossed_at is not None
    before = max((position.crossed_at - drain.at).total_seconds(), 0.0)
    return _line("callbacks", 0, f"none were queued {before:.0f} s before the crossing")


def _inbound(position: Position) -> dict[str, Any]:
    outage = position.outage_seconds
    if position.dark_since is not None or position.side is Side.UNKNOWN:
        said = "what is written until a side serves it again cannot be counted: no side reports it"
        return _line("messages of consumers", None, said)
    if not outage:
        return _line("messages of consumers", 0, "no outage was seen")
    said = f"what was written in the outage of at most {outage:.1f} s cannot be counted: no side reports it"
    return _line("messages of consumers", None, said)


def _outbound(position: Position) -> dict[str, Any]:
    gap = position.sender_gap_seconds
    if gap is not None:
        return _line("messages of senders", 0, f"the senders held theirs for {gap:.1f} s, as they have confirmed")
    if position.paused_at is not None:
        return _line("messages of senders", 0, "the senders still hold theirs")
    said = "no hook: whatever was sent to the client after its stop was refused, and only its sender knows of it"
    return _line("messages of senders", None, said)
