"""The result of the demo: a table from our own database, and one line of JSON from the sandbox's records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from migration.operations.proof_wording import proof_text, why_not_proved
from migration.operations.service_wording import outage_text, shown_side
from migration.operations.wording import number_label
from migration.operations.written_report import nearest_rank
from migration.waves.next_command import next_command
from state.enums import Status
from state.proof import Proof, is_moved, not_proved, proof_of, receives, sends
from state.rows import Position

Numbers = Sequence[Mapping[str, Any]]  # numbers as the sandbox shows them


@dataclass(frozen=True, slots=True)
class DemoResult:
    before: Numbers  # before anything was moved
    after: Numbers
    calls: Sequence[Mapping[str, Any]]
    board: Sequence[Position]
    without_migration: Sequence[Mapping[str, Any]]  # imported numbers that had nothing to move
    now: datetime
    killed: int  # how many workers were killed


def summary(result: DemoResult) -> dict[str, Any]:
    """The line that `--json` prints last. Sides, outages and counts come from the sandbox."""
    outages = sorted(caused_outages(result))
    return {
        "numbers": len(result.after),
        "on_cloud": sum(1 for number in result.after if number["side"] == "cloud"),
        "blocked": sum(1 for position in result.board if position.status is Status.BLOCKED),
        "itineraries": dict(sorted(Counter(position.itinerary for position in result.board).items())),
        "outage_s": {"p50": percentile(outages, 0.50), "p99": percentile(outages, 0.99)},
        "calls": {"register": sum(1 for call in result.calls if call["call"] == "register")},
        "double_effects": sum(number["double_effects"] for number in result.after),
        "killed": result.killed,
        "wrong_pins": sum(number["wrong_pins"] for number in result.after),
        "sends_to_dead_side": sum(number["sends_to_dead_side"] for number in result.after),
        "moved": sum(1 for position in result.board if is_moved(position)),
        "in_service": sum(1 for position in result.board if proof_of(position) is Proof.IN_SERVICE),
    }


def caused_outages(result: DemoResult) -> list[float]:
    """Outages in seconds that we caused: of numbers that On-Premises served before the move."""
    served = {number["e164"] for number in result.before if number["side"] == "on_premises"}
    return [
        float(number["outage_s"])
        for number in result.after
        if number["e164"] in served and number["outage_s"] is not None
    ]


def percentile(values: Sequence[float], share: float) -> float | None:
    """By nearest rank, so that the value has really occurred. `values` are sorted; None if there are none."""
    return round(nearest_rank(values, share), 2) if values else None


def problems(result: DemoResult) -> list[str]:
    """What is wrong with the result; empty if every number is accounted for and nothing happened twice."""
    figures = summary(result)
    names = ("double_effects", "wrong_pins", "sends_to_dead_side")
    wrong = [f"{name} is {figures[name]}" for name in names if figures[name]]
    lost = figures["numbers"] - figures["on_cloud"] - figures["blocked"]
    if lost:
        wrong.append(f"{lost} numbers are neither on Cloud nor blocked")
    live = [
        position.ref for position in result.board if position.ended_at is None and position.status is not Status.BLOCKED
    ]
    if live:
        wrong.append(f"not at their end: {', '.join(live)}")
    silent = [position.ref for position in not_proved(result.board) if not (sends(position) and receives(position))]
    if silent:
        wrong.append(f"moved, and no message has gone each way: {', '.join(silent)}")
    if not result.killed:
        wrong.append("no worker was killed in the middle")
    return wrong


COLUMNS = ("number", "itinerary", "side", "service", "outage", "next command", "why")


def table_rows(result: DemoResult) -> list[tuple[str, ...]]:
    """Cells in the order of COLUMNS."""
    moved = [
        (
            number_label(position),
            position.itinerary,
            shown_side(position).value,
            proof_text(position),
            outage_text(position, result.now),
            next_command(position, result.now),
            (why_not_proved(position) or "") if position.ended_at is not None else position.reason or "",
        )
        for position in result.board
    ]
    others = [
        (str(row["ref"]), "-", "cloud", "-", "-", "-", str(row["disposition_reason"] or ""))
        for row in result.without_migration
    ]
    return sorted(moved + others)
