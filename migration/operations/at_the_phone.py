"""Somebody is at the phone of a number: an operator says so, the customer does, or a slot is booked for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from migration.app import App
from migration.errors import OperationRefused
from migration.fleet.allowed_hours import AllowedHours, parse_hours
from migration.operations.codes_needed import needs_code
from migration.operations.numbers import retry_number
from migration.operations.received_codes import asked_last
from migration.steps.code_requests import (
    CODE_LIVES,
    IVR,
    SMS,
    calls_left,
    cooling_until,
    is_landline,
    next_method,
    other_method,
)
from migration.waves.next_command import next_runbook
from state.code_steps import NO_CODE_PAGE, REQUESTED_BY, VERIFY_STEPS
from state.enums import Status
from state.ledger.readiness import AtThePhone
from state.queries.people import CustomerRow
from state.rows import Position

# Somebody who said "I am at the phone" is expected to stay for as long as a code lives. Where nobody typed it by then,
# nobody was there, and another is not asked for before somebody says so again.
READY_FOR = CODE_LIVES
SLOT = timedelta(minutes=30)
SHORTEST_SLOT = timedelta(minutes=10)  # a code's life
LONGEST_SLOT = timedelta(hours=12)
SLOTS_AHEAD = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Asked:
    """`until`: how long somebody is expected at the phone. `message`: what happens next, for the person."""

    position: Position
    until: datetime
    method: str
    calls_left: int
    message: str
    cooling_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NextCode:
    """How the next code is asked for, where that is not left to what is known. `lost`: the last one never came."""

    method: str | None = None
    language: str | None = None
    lost: bool = False
    answering_machine: bool = False  # it took the call


async def ask_code(
    app: App,
    number: str,
    *,
    how: str,
    by: str,
    next_code: NextCode | None = None,
    lasts: timedelta = READY_FOR,
) -> Asked:
    """Somebody is at the phone now: its code may be asked for. `how`: ask_code, desk, room, run or prefect_form.

    The next worker asks, and no earlier than the number has cooled down. Raises NotFound, and OperationRefused for a
    number that needs no code or is blocked for another reason; then nothing was changed.
    """
    chosen = next_code or NextCode()
    position = await _that_needs_code(app, number)
    if chosen.method == SMS and is_landline(position.e164):
        raise OperationRefused(f"{position.ref} is a landline, which takes calls and no SMS; nothing was changed")
    requests = await app.queries.people.code_requests(position.number_id)
    asked_at, now = await asked_last(app, position), await app.queries.now()
    waits_for_code = position.next_step in VERIFY_STEPS
    good_until = asked_at + CODE_LIVES if asked_at is not None and waits_for_code else None
    still_good = good_until is not None and now < good_until
    method = chosen.method
    if method is None and chosen.answering_machine:
        method = IVR
    if method is None and chosen.lost and requests:
        method = other_method(position.e164, requests[0].method)
    lost = requests[0].method if requests and waits_for_code and not still_good else None
    await _ask_anew(app, position, chosen, by, still_good=still_good)
    at_phone = AtThePhone(how, by, lasts, method, chosen.language)
    until = await app.ledger.readiness.say(position.migration_id, at_phone)
    position = await app.queries.positions.get(position.migration_id)
    cooling, left = cooling_until(requests, now), calls_left(requests, now)
    used = method or next_method(position, lost)
    message = f"somebody is at the phone of {position.ref} until {until:%H:%M} UTC; "
    if still_good and not (chosen.lost or chosen.answering_machine):
        message += f"its code was asked for at {asked_at:%H:%M} UTC and is good until {good_until:%H:%M} UTC: "
        message += f"`cutover enter-code {position.ref}`, or `cutover ask-code {position.ref} --lost`"
    elif cooling is not None:
        message += f"no code is asked for before {cooling:%Y-%m-%d %H:%M:%S} UTC: it was asked too often or just now"
    else:
        message += f"the next worker asks for its code by {used}; {left} of 24 h are left"
    return Asked(position, until, used, left, message, cooling)


async def _that_needs_code(app: App, number: str) -> Position:
    position = await app.queries.positions.find(number)
    if position.ended_at is not None:
        raise OperationRefused(f"{position.ref} is {position.status}; it needs no code")
    if not needs_code(position):
        raise OperationRefused(f"{position.ref} is at {position.next_step} of {position.itinerary} and needs no code")
    if position.status is Status.BLOCKED and position.runbook != NO_CODE_PAGE:
        page = next_runbook(position, await app.queries.now())
        raise OperationRefused(
            f"{position.ref} is blocked: {position.reason}; first `cutover runbook {page} {position.ref}`"
        )
    return position


async def _ask_anew(app: App, position: Position, chosen: NextCode, by: str, *, still_good: bool) -> None:
    """Put the number back to the request where the last code is given up."""
    request = REQUESTED_BY.get(position.next_step or "")
    if position.status is Status.BLOCKED and request is not None:
        await retry_number(app, position.ref, "somebody is at the phone", by)
    elif position.next_step in VERIFY_STEPS and request is not None:
        why = "an answering machine took the call" if chosen.answering_machine else "the code did not come"
        if chosen.lost or chosen.answering_machine or not still_good:
            await app.ledger.operator_changes.reopen(position.migration_id, request, why, by)


async def leave_phone(app: App, number: str, because: str, by: str) -> Position:
    """Nobody is at the phone any more. A code that was asked for may still be typed in."""
    position = await app.queries.positions.find(number)
    await app.ledger.readiness.withdraw(position.migration_id, because, by)
    return await app.queries.positions.get(position.migration_id)


# -- slots


async def allowed_hours(app: App, position: Position) -> AllowedHours:
    """When the number's customer may be called."""
    customer = await app.queries.people.customer(position.customer)
    return hours_of(customer)


def hours_of(customer: CustomerRow | None) -> AllowedHours:
    if customer is None or customer.hours is None:
        return parse_hours("")
    return parse_hours(customer.hours, customer.time_zone or "UTC")


async def book_slot(app: App, number: str, start: datetime, end: datetime, by: str) -> Position:
    """Somebody will be at the phone from `start` to `end`, both aware. Replaces the slot that was booked before.

    Raises OperationRefused for a time in the past, too short, too long, too far ahead, outside the customer's hours or
    outside the window of its wave; then nothing was changed.
    """
    position = await _that_needs_code(app, number)
    now = await app.queries.now()
    problem = _slot_problem(start, end, now) or _outside(position, await allowed_hours(app, position), start, end)
    if problem is not None:
        raise OperationRefused(f"{position.ref}: the slot {problem}; nothing was changed")
    await app.ledger.readiness.book(position.migration_id, start, end, by)
    return await app.queries.positions.get(position.migration_id)


async def cancel_slot(app: App, number: str, by: str) -> Position:
    """Raises OperationRefused where none is booked."""
    position = await app.queries.positions.find(number)
    if position.slot_from is None:
        raise OperationRefused(f"{position.ref} has no slot; nothing was changed")
    await app.ledger.readiness.cancel_slot(position.migration_id, by)
    return await app.queries.positions.get(position.migration_id)


async def free_slots(app: App, position: Position, *, most: int = 12) -> tuple[tuple[datetime, datetime], ...]:
    """Slots of half an hour that may be booked, the next ones first: in the customer's hours and its wave's window."""
    hours, now = await allowed_hours(app, position), await app.queries.now()
    start = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    found: list[tuple[datetime, datetime]] = []
    while start < now + SLOTS_AHEAD and len(found) < most:
        if _outside(position, hours, start, start + SLOT) is None:
            found.append((start, start + SLOT))
        start += SLOT
    return tuple(found)


def _slot_problem(start: datetime, end: datetime, now: datetime) -> str | None:
    if end <= start:
        return "ends before it begins"
    if end <= now:
        return "is over already"
    if end - start < SHORTEST_SLOT:
        return f"is shorter than {SHORTEST_SLOT.seconds // 60} minutes, the life of a code"
    if end - start > LONGEST_SLOT:
        return f"is longer than {LONGEST_SLOT.seconds // 3600} hours"
    return f"is more than {SLOTS_AHEAD.days} days ahead" if start > now + SLOTS_AHEAD else None


def _outside(position: Position, hours: AllowedHours, start: datetime, end: datetime) -> str | None:
    if not hours.allow(start, end):
        return f"is outside the hours in which its customer may be called ({hours.zone.key})"
    early = position.window_start is not None and start < position.window_start
    late = position.window_end is not None and end > position.window_end
    return f"is outside the window of wave {position.wave}" if early or late else None


def local(moment: datetime, zone: str | None) -> str:
    """A moment as people of that zone write it."""
    return f"{moment.astimezone(ZoneInfo(zone or 'UTC')):%Y-%m-%d %H:%M} {zone or 'UTC'}"
