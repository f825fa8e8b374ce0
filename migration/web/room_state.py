"""What a customer is told of its number: one state, without words of ours about steps, sides and commands."""

from collections.abc import Mapping
from datetime import datetime

from migration.operations.codes_needed import needs_code
from migration.operations.customer_rooms import Room
from state.code_steps import NO_CODE_PAGE, VERIFY_STEPS
from state.enums import Status
from state.proof import is_moved, is_proved
from state.rows import FindingRow, Position

PIN_PAGES = ("runbooks/pin-unknown.md", "runbooks/wrong-pin.md")
# The forms that stand in the room in each state.
FORMS: Mapping[str, tuple[str, ...]] = {
    "state_needs_code": ("call", "slot"),
    "state_coming": ("slot",),
    "state_enter": ("code", "lost"),
    "state_wrong": ("code", "lost"),
    "state_checking": (),
    "state_pin": ("pin",),
}


def room_state(room: Room, last_code: str | None, now: datetime) -> str:
    """The key of the sentence. `last_code`: the state of the code that was typed in last, as in CodeRow."""
    position = room.position
    if position.ended_at is not None:
        if position.status is not Status.DONE:
            return "state_not_moved"
        return "state_done" if is_proved(position) or not is_moved(position) else "state_checked"
    if position.runbook in PIN_PAGES:
        return "state_pin"
    if position.next_step in VERIFY_STEPS and position.status is not Status.BLOCKED:
        return {"entered": "state_checking", "refused": "state_wrong"}.get(last_code or "", "state_enter")
    if needs_code(position) and (position.status is not Status.BLOCKED or position.runbook == NO_CODE_PAGE):
        return "state_coming" if _is_ready(position, now) else "state_needs_code"
    if position.status is Status.BLOCKED:
        return "state_paused"
    return "state_moving" if position.crossed_at is not None or position.dark_by_us else "state_ready"


def _is_ready(position: Position, now: datetime) -> bool:
    return position.ready_until is not None and position.ready_until >= now


def test_message(position: Position, results: Mapping[str, FindingRow]) -> tuple[datetime | None, bool]:
    """When a test message left the number, and whether it was seen to arrive."""
    sent = results.get("send_smoke")
    if sent is None or (sent.facts.get("sent") is not True and position.sends_at is None):
        return None, False
    return sent.at, position.sends_at is not None
