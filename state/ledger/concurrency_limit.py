"""How many numbers of a wave are moved at once, whoever moves them: loops, sweeps, runs by hand."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from state.models import NumberMigration, Wave
from state.types import SqlClock

# The longest wait that a mover sleeps out with the number in hand; what waits longer gives its place away.
SHORT_WAIT = timedelta(seconds=30)
# From the end of a step to the next one of the same run.
BETWEEN_STEPS = SHORT_WAIT + timedelta(seconds=5)


def has_one(clock: SqlClock, free: Collection[str]) -> ColumnElement[bool]:
    """The number is being moved already, or must never wait for others: it has crossed, its senders wait,
    or it is on one of the itineraries that are `free`."""
    return or_(
        NumberMigration.wave_pk.is_(None),
        NumberMigration.moving_until > clock.now(),
        NumberMigration.crossed_at.is_not(None),
        NumberMigration.paused_at.is_not(None),
        NumberMigration.itinerary.in_(free),
    )


def there_is_one(clock: SqlClock) -> ColumnElement[bool]:
    """Fewer numbers of its wave are being moved than the wave allows. For a transaction that has locked the wave."""
    other = aliased(NumberMigration)
    moving = (
        select(func.count(other.id))
        .where(other.wave_pk == Wave.id, other.moving_until > clock.now())
        .correlate(Wave)
        .scalar_subquery()
    )
    room = select(Wave.id).where(and_(Wave.id == NumberMigration.wave_pk, moving < Wave.concurrency))
    return room.correlate(NumberMigration).exists()
