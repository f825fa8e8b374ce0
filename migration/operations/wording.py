"""The sentences in which commands, pages and messages describe one number.

Pure functions: `now` is the database's time, aware, in UTC.
"""

from datetime import datetime

from migration.engine.dead_workers import lost_its_worker
from migration.operations.service_wording import shown_side
from migration.scrubbing.masking import masked
from migration.waves.next_command import NO_COMMAND, current_status, next_command, wait_is_over, waits_for_person
from state.enums import Party, Status, WaveState
from state.rows import AnyPosition, Position


def number_label(position: AnyPosition) -> str:
    """Reference and masked number, as every message names it."""
    return f"{position.ref} ({masked(position.e164)})"


def was_begun(position: AnyPosition) -> bool:
    """Somebody asked to move it, and it is not at its end."""
    waits_for_its_wave = position.wave_state in (None, WaveState.PLANNED) and position.attempts == 0
    return position.ended_at is None and not waits_for_its_wave


def reason_text(position: AnyPosition, now: datetime) -> str | None:
    """Why the number is where it is. A reason goes with the wait, hold or block that it belongs to."""
    if lost_its_worker(position, now):
        return "its worker has ended; nobody is working on it"
    if wait_is_over(position, now):
        return "its wait has ended; nobody is working on it"
    if position.status in (Status.READY, Status.RUNNING):
        return None
    if waits_for_person(position):
        return f"waiting for {position.customer}: {position.reason}"
    return position.reason


def shown_number(position: AnyPosition, show_numbers: bool) -> str:
    return position.e164 if show_numbers else masked(position.e164)


def whose_move(position: AnyPosition, now: datetime) -> str:
    """The party that has to act next."""
    if position.ended_at is not None:
        return "-"
    if current_status(position, now) in (Status.READY, Status.RUNNING) or wait_is_over(position, now):
        return Party.US.value
    return position.waiting_on.value if position.waiting_on else Party.OPERATOR.value


def at_the_phone_text(position: Position, now: datetime) -> str | None:
    """Who is at its phone, and until when; or the slot that is booked; None where neither is."""
    if position.ready_until is not None and position.ready_until >= now:
        return f"{position.ready_by} ({position.ready_how}) until {position.ready_until:%Y-%m-%d %H:%M} UTC"
    if position.slot_from is not None and position.slot_until is not None and position.slot_until >= now:
        return f"booked from {position.slot_from:%Y-%m-%d %H:%M} to {position.slot_until:%H:%M} UTC"
    return None


def waits_on(position: AnyPosition, now: datetime) -> str:
    """As `whose_move`, with a customer by its name."""
    party = whose_move(position, now)
    return position.customer if party == Party.CUSTOMER else party


def without_customer(text: str, position: AnyPosition) -> str:
    """For a record that `cutover forget` does not reach, as Prefect's: the number stands for its customer."""
    return text.replace(position.customer, "its customer")


def next_command_after_show(position: AnyPosition, now: datetime) -> str:
    """As `next_command`, for somebody who has just typed `cutover show`: it never names itself."""
    command = next_command(position, now)
    if not command.startswith("cutover show"):
        return command
    if current_status(position, now) is Status.WAITING and position.wave_state != WaveState.PLANNED:
        return "cutover sweep"  # before the end of the wait it changes nothing
    return NO_COMMAND if position.status is Status.RUNNING else f"cutover run {position.ref}"


def status_line(position: AnyPosition, now: datetime) -> str:
    """One sentence: the number, its status, step and side, and why."""
    status = current_status(position, now)
    why = reason_text(position, now)
    reason = f": {why}" if why and position.ended_at is None else ""
    step = position.next_step or "its end"
    return f"{number_label(position)} is {status} at {step}, side {shown_side(position)}{reason}"
