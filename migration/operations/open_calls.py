"""A call that a worker left behind without an answer: what it did has to be known before a person can decide."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from migration.app import App
from migration.engine.itineraries import itinerary_named
from migration.engine.settlement import COMMAND_MARGIN
from migration.engine.step_run import SEND_WITHIN
from migration.operations.wording import number_label
from migration.steps.outcomes import Waiting
from state.errors import Conflict
from state.rows import OpenAttempt, Position

# After the last moment at which the call can show, for one more reading of both sides.
LAST_READING = timedelta(seconds=15)


def shows_by(position: Position, attempt: OpenAttempt) -> datetime:
    """When readings of both sides show at the latest whether the call had its effect."""
    contract = itinerary_named(position.itinerary).at(attempt.step).step.contract
    ends = attempt.answer_due
    if contract.runs_command and attempt.intent.get("limit_s") is not None:
        limit = timedelta(seconds=float(attempt.intent["limit_s"]))
        ends = max(ends, attempt.opened_at + SEND_WITHIN + limit + COMMAND_MARGIN)
    return ends + contract.settles_after


def open_call_text(position: Position, attempt: OpenAttempt) -> str:
    """What is waited for, and until when."""
    sent = f"{attempt.step} of {number_label(position)} was sent at {attempt.opened_at:%H:%M:%S} UTC"
    until = shows_by(position, attempt)
    return f"{sent} and was not answered; what it did is known at the latest at {until:%H:%M:%S} UTC"


async def settle_open_call(app: App, position: Position, tell: Callable[[str], None]) -> None:
    """Wait until it is known what an open call did, without making it again. Says once what is waited for.

    Ends without an answer where readings still disagree after the call's last moment. Raises LeaseLost while another
    worker is at the number.
    """
    attempt = await app.queries.records.open_attempt(position.migration_id)
    if attempt is None:
        return
    give_up = shows_by(position, attempt) + LAST_READING
    told = False
    with suppress(Conflict):  # it is blocked, or has ended; whoever changes it next is told so
        while isinstance(outcome := await app.runner.settle(position.migration_id), Waiting):
            still_open = await app.queries.records.open_attempt(position.migration_id)
            now = await app.queries.now()
            if still_open is None or still_open.id != attempt.id or now >= give_up:
                return
            if not told:
                tell(f"waits: {open_call_text(position, attempt)}")
                told = True
            await app.clock.sleep(max((min(outcome.until, give_up) - now).total_seconds(), 0.2))
