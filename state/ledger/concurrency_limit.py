"""How many numbers of a wave are moved at once, by whatever moves them: wave loops, sweeps, runs by hand.

A number that is moved takes a slot of its wave with its lease (`moving_until`), keeps it between its steps, and gives
it up when it stops. One that has crossed and waits for Meta takes none: others need not wait until it is known what
became of its call. That holds for as many as the wave moves at once: where more stand at Meta, the cause is not theirs,
and the next one would only be out of service too.
"""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from state.declaring import aliased
from state.enums import Party, Status
from state.models import MigrationTable, WaveTable
from state.types import SqlClock

# The longest wait during which a runner keeps the number and its slot; before a longer one it gives both up.
SHORT_WAIT = timedelta(seconds=30)
# How long the slot is kept after a step for the next step of the same run.
BETWEEN_STEPS = SHORT_WAIT + timedelta(seconds=5)


def needs_no_slot(clock: SqlClock, exempt: Collection[str]) -> ColumnElement[bool]:
    """The number has a slot already, is in no wave, or must not wait for others.

    It must not wait once it has crossed or its senders are paused, and on an itinerary in `exempt`.
    """
    return or_(
        MigrationTable.wave_pk.is_(None),
        MigrationTable.moving_until > clock.now(),
        MigrationTable.crossed_at.is_not(None),
        MigrationTable.paused_at.is_not(None),
        MigrationTable.itinerary.in_(exempt),
    )


def has_free_slot(clock: SqlClock) -> ColumnElement[bool]:
    """Fewer numbers of its wave are moved than the wave allows. Only for a transaction that has locked the wave."""
    other = aliased(MigrationTable, "moving")
    stands_at_meta = and_(other.crossed_at.is_not(None), other.status == Status.WAITING, other.waiting_on == Party.META)
    moved = (
        select(func.count(other.id))
        .where(other.wave_pk == WaveTable.id, other.moving_until > clock.now())
        .correlate(WaveTable)
    )
    wave = select(WaveTable.id).where(
        and_(
            WaveTable.id == MigrationTable.wave_pk,
            moved.where(not_(stands_at_meta)).scalar_subquery() < WaveTable.concurrency,
            moved.scalar_subquery() < 2 * WaveTable.concurrency,
        )
    )
    return wave.correlate(MigrationTable).exists()
