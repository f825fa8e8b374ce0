"""What the senders of a number have to be told now, whoever moves it and whether it has ended. Pure functions."""

from datetime import datetime, timedelta
from enum import StrEnum

from migration.engine.itineraries import ItineraryName, known_itinerary
from migration.steps.pause_rules import PAUSE_LEASE, SWEEP_EVERY, may_be_dark
from state.enums import Party, Side, Status, WaveState
from state.rows import Position

ROUTE, RESUME = "switch_route", "resume_sends"
PROVING = ("send_smoke", "prove_smoke")  # after `confirm` and `switch_route`
LONGEST_BETWEEN_TRIES = timedelta(minutes=1)
RENEWED_AFTER = SWEEP_EVERY * 3 / 4  # a sweep may come some seconds before its minute is over
# A number that has not crossed keeps no senders paused for a longer wait, counted from the end of their pause.
LONGEST_WAIT_PAUSED = timedelta(minutes=5)


class SenderNeed(StrEnum):
    NOTHING = "nothing"  # they are not paused, or a step of the number is about to tell them
    PAUSE = "pause"  # the number still needs its pause
    RESUME = "resume"  # nothing needs the pause any more, and they have not confirmed that they go on


def sender_need(state: Position) -> SenderNeed:
    """Senders wait while the number may be dark, and while it is on its way to its cutover.

    Before the crossing they wait neither for a person nor for hours: On-Premises serves, nothing is lost, and they are
    paused again before the number crosses.
    """
    if state.paused_at is None:
        return SenderNeed.NOTHING
    if state.ended_at is not None:
        return SenderNeed.RESUME
    itinerary = known_itinerary(state.itinerary, state.next_step)
    step = state.next_step or ""
    waits_for_person = state.status in (Status.BLOCKED, Status.HELD)
    if itinerary is None or not itinerary.has(RESUME):
        return SenderNeed.PAUSE if may_be_dark(state) else SenderNeed.RESUME
    if step == RESUME or itinerary.name is ItineraryName.ABORT:
        return SenderNeed.RESUME if waits_for_person else SenderNeed.NOTHING
    if any(entry.name == RESUME for entry in itinerary.before(step)):
        return SenderNeed.RESUME
    if step in PROVING and state.side is Side.CLOUD and state.status is Status.WAITING and _waits_long(state):
        return SenderNeed.RESUME  # it is on Cloud, and only its own test message or its health has to wait for calls
    if may_be_dark(state):
        return SenderNeed.PAUSE
    if state.wave_state == WaveState.STOPPED:
        return SenderNeed.RESUME  # it does not cross any more; on its way to the gate it may still wait for minutes
    waits_for_code = state.status is Status.WAITING and state.waiting_on is Party.CUSTOMER and "code" in step
    return SenderNeed.RESUME if waits_for_person or waits_for_code or _waits_long(state) else SenderNeed.PAUSE


def _waits_long(state: Position) -> bool:
    until, ends = state.waiting_until, pause_ends(state)
    if state.status is not Status.WAITING or until is None or ends is None:
        return False
    return until - ends > LONGEST_WAIT_PAUSED


def owes_route(state: Position) -> bool:
    """It serves where it was to go, and stands still because its hook has refused to be told so."""
    itinerary = known_itinerary(state.itinerary, state.next_step)
    refused = state.status is Status.BLOCKED and state.next_step == ROUTE
    return refused and itinerary is not None and state.side is itinerary.goes_to


def owes_resume(state: Position) -> bool:
    """Senders are to go on, and have not confirmed it: by a step that is telling them, or outside of it."""
    at_step = state.ended_at is None and (state.next_step == RESUME or state.itinerary == ItineraryName.ABORT)
    return state.paused_at is not None and (at_step or sender_need(state) is SenderNeed.RESUME)


def renewal_is_due(state: Position, now: datetime) -> bool:
    """A quarter of the lease has passed: the next sweep renews it, also one that comes early, and two more fit in."""
    until = pause_ends(state)
    return until is None or until - now <= PAUSE_LEASE - RENEWED_AFTER


def pause_ends(state: Position) -> datetime | None:
    """When the pause lapses unless it is renewed; of a pause that an older release began, from its beginning on."""
    if state.pause_until is not None or state.paused_at is None:
        return state.pause_until
    return state.paused_at + PAUSE_LEASE


def serving_side(state: Position) -> Side:
    """Where messages of senders that go on arrive; for a number on neither side, where they were sent before."""
    if state.side in (Side.ON_PREMISES, Side.CLOUD):
        return state.side
    return Side.CLOUD if state.route == Side.CLOUD else Side.ON_PREMISES


def next_try(state: Position) -> timedelta:
    """2, 4, 8 ... seconds after a message that was not confirmed."""
    return min(timedelta(seconds=2.0 ** min(state.senders_tries + 1, 6)), LONGEST_BETWEEN_TRIES)
