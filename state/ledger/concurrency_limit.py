"""How many numbers of a wave are moved at once, whoever moves them: loops, sweeps, runs by hand."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import aliased

from state.models import MigrationTable, WaveTable
from state.types import SqlClock

# The longest wait that a mover sleeps out with the number in hand; what waits longer gives its place away.
SHORT_WAIT = timedelta(seconds=30)
# From the end of a step to the next one of the same run.
BETWEEN_STEPS = SHORT_WAIT + timedelta(seconds=5)


def has_one(clock: SqlClock, free: Collection[str]) -> ColumnElement[bool]:
    """The number is being moved already, or must never wait for others: it has crossed, its senders wait,
    or it is on one of the itineraries that are `free`."""
    return or_(
        MigrationTable.wave_pk.is_(None),
        MigrationTable.moving_until > clock.now(),
        MigrationTable.crossed_at.is_not(None),
        MigrationTable.paused_at.is_not(None),
        MigrationTable.itinerary.in_(free),
    )


def there_is_one(clock: SqlClock) -> ColumnElement[bool]:
    """Fewer numbers of its wave are being moved than the wave allows. For a transaction that has locked the wave."""
    other = aliased(MigrationTable)
    moving = (
        select(func.count(other.id))
        .where(other.wave_pk == WaveTable.id, other.moving_until > clock.now())
        .correlate(WaveTable)
        .scalar_subquery()
    )
    room = select(WaveTable.id).where(and_(WaveTable.id == MigrationTable.wave_pk, moving < WaveTable.concurrency))
    return room.correlate(MigrationTable).exists()
