"""One number in the JSON document of a verb."""

from datetime import datetime
from typing import Any

from migration.operations.proof_wording import proof_document
from migration.operations.service_wording import service_document
from migration.operations.wave_wording import gate_text
from migration.operations.wording import reason_text, shown_number, whose_move
from migration.waves.next_command import acts_until, current_status, next_command
from state.rows import AnyPosition


def number_document(position: AnyPosition, now: datetime, show_numbers: bool) -> dict[str, Any]:
    """One number as JSON."""
    return {
        "ref": position.ref,
        "number": shown_number(position, show_numbers),
        "customer": position.customer,
        "wave": position.wave,
        "canary": position.canary,
        "released_by_name": position.released_by_name,
        "hold": position.hold,
        "may_cross": gate_text(position, now),
        "itinerary": position.itinerary,
        "status": current_status(position, now),
        "next_step": position.next_step,
        **service_document(position, now),
        **proof_document(position, now),
        "sender_gap_s": position.sender_gap_seconds,
        "on": whose_move(position, now),
        "until": acts_until(position, now),
        "reason": reason_text(position, now),
        "runbook": position.runbook,
        "next_command": next_command(position, now),
    }
