"""Which numbers are in a wave, and which of them are its canary. Part of the transactions of `waves`."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import LIVE, Status
from state.errors import Conflict
from state.ledger.inserting import chunks
from state.models import MigrationTable, NumberTable, WaveTable

# As Meta advises; a number of unknown volume may be the busiest one.
LOW_VOLUME_FIRST = (NumberTable.daily_volume.is_(None), NumberTable.daily_volume, NumberTable.id)


async def add_numbers(tx: AsyncConnection, wave_pk: int, migrations: Sequence[int]) -> None:
    """With a few statements, however many numbers there are. Raises Conflict naming one that cannot be added."""
    for part in chunks(sorted(migrations)):
        added = await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.id.in_(part), MigrationTable.wave_pk.is_(None), MigrationTable.status.in_(LIVE))
            .values(wave_pk=wave_pk, canary=False, released_by_name=False, version=MigrationTable.version + 1)
            .returning(MigrationTable.id)
        )
        left = set(part) - set(added.scalars())
        if left:
            raise Conflict(f"number migration {min(left)} is in another wave or has ended")


async def choose_canary(tx: AsyncConnection, wave_pk: int, size: int, *, keep: bool) -> None:
    """Make the `size` numbers of the lowest volume the canary. `keep`: those that were released stay in it first."""
    order = (MigrationTable.ended_at.is_not(None), *((MigrationTable.canary.desc(),) if keep else ()))
    numbers = (
        select(MigrationTable.id)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .where(MigrationTable.wave_pk == wave_pk)
        .order_by(*order, *LOW_VOLUME_FIRST)
    )
    canary = (await tx.execute(numbers.limit(size))).scalars().all()
    await tx.execute(
        update(MigrationTable)
        .where(MigrationTable.wave_pk == wave_pk)
        .values(canary=MigrationTable.id.in_(canary), version=MigrationTable.version + 1)
    )


async def count_canary(tx: AsyncConnection, wave_pk: int) -> None:
    """Its size is how many it has, after some have left: no command may name a canary that nobody is in."""
    size = select(func.count()).where(MigrationTable.wave_pk == wave_pk, MigrationTable.canary.is_(True))
    await tx.execute(update(WaveTable).where(WaveTable.id == wave_pk).values(canary_size=size.scalar_subquery()))


async def set_canary(tx: AsyncConnection, wave_pk: int, migrations: Sequence[int]) -> None:
    """Make these numbers of the wave part of its canary."""
    for part in chunks(migrations):
        changed = update(MigrationTable).where(MigrationTable.wave_pk == wave_pk, MigrationTable.id.in_(part))
        await tx.execute(changed.values(canary=True))


async def release_by_name(tx: AsyncConnection, wave_pk: int, migrations: Sequence[int]) -> None:
    """Let these numbers of the wave cross, whatever part of it is released."""
    for part in chunks(migrations):
        changed = update(MigrationTable).where(MigrationTable.wave_pk == wave_pk, MigrationTable.id.in_(part))
        await tx.execute(changed.values(released_by_name=True))


async def withdraw_names(tx: AsyncConnection, wave_pk: int) -> list[str]:
    """Of its numbers only those of the part that is released may cross from now on. Returns which no longer may."""
    left = named_and_not_crossed()
    refs = await _references(tx, wave_pk, left)
    await tx.execute(
        update(MigrationTable).where(MigrationTable.wave_pk == wave_pk, left).values(released_by_name=False)
    )
    return refs


def named_and_not_crossed() -> ColumnElement[bool]:
    """A release named the number, and it has yet to cross."""
    crossed_or_ended = or_(MigrationTable.crossed_at.is_not(None), MigrationTable.ended_at.is_not(None))
    return and_(MigrationTable.released_by_name.is_(True), ~crossed_or_ended)


async def canary_of(tx: AsyncConnection, wave_pk: int) -> list[str]:
    """References of the wave's canary, low volume first."""
    return await _references(tx, wave_pk, MigrationTable.canary.is_(True))


async def released_by_name(tx: AsyncConnection, wave_pk: int) -> list[str]:
    """References of those of its numbers that a release named, low volume first."""
    return await _references(tx, wave_pk, MigrationTable.released_by_name.is_(True))


async def _references(tx: AsyncConnection, wave_pk: int, chosen: ColumnElement[bool]) -> list[str]:
    query = (
        select(NumberTable.ref)
        .join(MigrationTable, MigrationTable.number_pk == NumberTable.id)
        .where(MigrationTable.wave_pk == wave_pk, chosen)
        .order_by(*LOW_VOLUME_FIRST)
    )
    return list((await tx.execute(query)).scalars())


async def make_held_due(tx: AsyncConnection, wave_pk: int, status: Status = Status.HELD) -> None:
    """`status` ready: a gate was opened, and ready numbers keep a wave loop running that was about to end.

    A worker at one of the wave's numbers reads it again, because what it read of the wave no longer holds.
    """
    await tx.execute(
        update(MigrationTable)
        .where(MigrationTable.wave_pk == wave_pk, MigrationTable.ended_at.is_(None))
        .values(version=MigrationTable.version + 1)
    )
    await tx.execute(
        update(MigrationTable)
        .where(MigrationTable.wave_pk == wave_pk, MigrationTable.status == Status.HELD)
        .values(waiting_until=None, reason=None, status=status)
    )
