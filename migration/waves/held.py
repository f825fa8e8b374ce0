"""Numbers that a gate holds: looked at without a worker, a lease, an event or a task of Prefect."""

from migration.app import App
from migration.engine.itineraries import itinerary_named
from migration.steps.outcomes import Held
from state.enums import Status
from state.errors import NotFound
from state.ledger.gates import NOT_READ


async def still_held(app: App, migration_id: int) -> Held | None:
    """What still keeps a held number before its gate; None where it may go on, or is not held."""
    try:
        position = await app.queries.positions.get(migration_id)
        itinerary = itinerary_named(position.itinerary)
    except (NotFound, ValueError):
        return None  # whoever runs it says what is wrong with it
    if position.status is not Status.HELD or position.next_step is None or not itinerary.has(position.next_step):
        return None
    entry = itinerary.at(position.next_step)
    closed = None
    if entry.gated or position.profile_halted_at is not None:
        closed = await app.queries.gate.why_closed(migration_id, entry.fits_in)
    if closed is None and entry.changes_side and not position.sides_read:
        closed = NOT_READ
    # Where it is another condition by now, a worker writes it down.
    return Held(closed) if closed is not None and closed == position.reason else None
