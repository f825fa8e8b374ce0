"""The version of a number's row: whatever arrives for a number raises it, and a worker that is behind reads again."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import MigrationTable, NumberTable, WabaTable
from state.types import SqlClock


async def raise_versions(tx: AsyncConnection, *conditions: ColumnElement[bool]) -> None:
    """Of the live migrations for which all the conditions hold."""
    await tx.execute(
        update(MigrationTable)
        .where(MigrationTable.ended_at.is_(None), *conditions)
        .values(version=MigrationTable.version + 1)
    )


def on_profile(profile_id: int) -> ColumnElement[bool]:
    """The number uses this credential profile."""
    numbers = select(NumberTable.id).join(WabaTable, WabaTable.id == NumberTable.waba_pk)
    return MigrationTable.number_pk.in_(numbers.where(WabaTable.profile_id == profile_id))


def on_instance(instance_ids: Collection[int]) -> ColumnElement[bool]:
    """The number belongs to one of these On-Premises instances."""
    return MigrationTable.number_pk.in_(select(NumberTable.id).where(NumberTable.instance_pk.in_(instance_ids)))


def of_waba(waba_pk: int) -> ColumnElement[bool]:
    """The number belongs to this WABA."""
    return MigrationTable.number_pk.in_(select(NumberTable.id).where(NumberTable.waba_pk == waba_pk))


async def locked(tx: AsyncConnection, clock: SqlClock, migration_id: int) -> datetime:
    """Lock the row of a migration, which keeps its events in one chain, and raise its version. Returns the time."""
    lock = (
        update(MigrationTable)
        .where(MigrationTable.id == migration_id)
        .values(version=MigrationTable.version + 1)
        .returning(clock.now().label("now"))
    )
    now: datetime = (await tx.execute(lock)).scalar_one()
    return now
