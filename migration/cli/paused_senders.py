"""Senders that were told to pause and have not confirmed that they go on: listed until they do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from migration.engine.sender_needs import owes_resume, pause_ends
from migration.operations.service_wording import duration_text
from migration.operations.wording import number_label
from state.rows import Position


def paused_document(paused: Sequence[Position]) -> list[dict[str, Any]]:
    """Each number whose senders are paused. `must_resume`: nothing needs the pause any more."""
    return [
        {
            "ref": position.ref,
            "customer": position.customer,
            "hook": position.hook,
            "since": position.paused_at,
            "until": pause_ends(position),
            "must_resume": owes_resume(position),
            "tries": position.senders_tries,
            "error": position.senders_error,
            "next_command": command_to_resume(position) if owes_resume(position) else None,
        }
        for position in paused
    ]


def paused_lines(paused: Sequence[Position], now: datetime) -> list[str]:
    """A line for each number whose senders have to go on and have not confirmed it."""
    return [_line(position, now) for position in paused if owes_resume(position)]


def command_to_resume(position: Position) -> str:
    """The command that tells the senders once more."""
    return "cutover sweep" if position.ended_at is not None else f"cutover run {position.ref}"


def _line(position: Position, now: datetime) -> str:
    since = duration_text((now - position.paused_at).total_seconds()) if position.paused_at is not None else "?"
    hook = f"hook {position.hook}" if position.hook is not None else "no hook is named for the customer any more"
    error = f": {position.senders_error}" if position.senders_error else ""
    paused = f"the senders of {number_label(position)} are paused since {since} and have not confirmed that they go on"
    stated = f'once they do: cutover resolve {position.ref} --senders-resumed --because "..."'
    return f"{paused} ({hook}{error}); next: {command_to_resume(position)}; {stated}"
