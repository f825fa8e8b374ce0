"""How the demo ended: a table from our own database, and one line of JSON from the sandbox's own record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from migration.operations.wording import next_command, number_label, outage_text
from state.enums import Status
from state.rows import Position

Numbers = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What is known when the story is over."""

    before: Numbers  # the sandbox's numbers before anything was done
    after: Numbers
    calls: Sequence[Mapping[str, Any]]
    board: Sequence[Position]
    adopted: Sequence[Mapping[str, Any]]  # imported, but with no way to go
    now: datetime
    killed: int


def summary(end: DemoResult) -> dict[str, Any]:
    """The line that `--json` prints last. Sides, outages and counts are the sandbox's."""
    outages = sorted(caused_outages(end))
    return {
        "numbers": len(end.after),
        "on_cloud": sum(1 for one in end.after if one["side"] == "cloud"),
        "blocked": sum(1 for at in end.board if at.status is Status.BLOCKED),
        "itineraries": dict(sorted(Counter(at.itinerary for at in end.board).items())),
        "outage_s": {"p50": percentile(outages, 0.50), "p99": percentile(outages, 0.99)},
        "calls": {"register": sum(1 for one in end.calls if one["call"] == "register")},
        "double_effects": sum(one["double_effects"] for one in end.after),
        "killed": end.killed,
        "wrong_pins": sum(one["wrong_pins"] for one in end.after),
        "sends_to_dead_side": sum(one["sends_to_dead_side"] for one in end.after),
    }


def caused_outages(end: DemoResult) -> list[float]:
    """Outages of our making: of the numbers that On-Premises served before we came."""
    served = {one["e164"] for one in end.before if one["side"] == "on_premises"}
    return [float(one["outage_s"]) for one in end.after if one["e164"] in served and one["outage_s"] is not None]


def percentile(values: Sequence[float], share: float) -> float | None:
    """Nearest rank: a value that really occurred. None without values."""
    return round(values[max(ceil(share * len(values)), 1) - 1], 2) if values else None


def problems(end: DemoResult) -> list[str]:
    """What is wrong with the ending; empty when every number is accounted for and nothing happened twice."""
    told = summary(end)
    wrong = [f"{name} is {told[name]}" for name in ("double_effects", "wrong_pins", "sends_to_dead_side") if told[name]]
    if told["on_cloud"] + told["blocked"] != told["numbers"]:
        wrong.append(f"{told['numbers'] - told['on_cloud'] - told['blocked']} numbers are neither on Cloud nor blocked")
    left = [at.ref for at in end.board if at.ended_at is None and at.status is not Status.BLOCKED]
    if left:
        wrong.append(f"not at their end: {', '.join(left)}")
    if not end.killed:
        wrong.append("no worker was killed in the middle")
    return wrong


COLUMNS = ("number", "itinerary", "side", "outage", "next command", "why")


def table_rows(end: DemoResult) -> list[tuple[str, ...]]:
    moved = [
        (number_label(at), at.itinerary, at.side.value, outage_text(at, end.now), next_command(at, end.now), _why(at))
        for at in end.board
    ]
    adopted = [(str(row["ref"]), "-", "cloud", "-", "-", str(row["disposition_reason"] or "")) for row in end.adopted]
    return sorted(moved + adopted)


def _why(at: Position) -> str:
    return (at.reason or "") if at.ended_at is None else ""
