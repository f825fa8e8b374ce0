"""A PIN that may be wrong for every number is sent by one of them first: counted where an intent is committed.

Graph said that it had set it under a number of On-Premises, and nobody knows yet whether it did. A wrong PIN takes a
number down.
"""

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.declaring import aliased
from state.enums import PinProvenance
from state.models import AttemptTable, MigrationTable, NumberTable
from state.types import SqlClock

TRIED = "another number sends the first PIN that Graph said it had set; its answer shows whether such PINs are right"


def being_tried(clock: SqlClock) -> ColumnElement[bool]:
    """The `register` of another number with such a PIN has no outcome yet; not for ever, or others would stay dark."""
    other, number = aliased(MigrationTable, "trying"), aliased(NumberTable, "trying_number")
    query = (
        select(AttemptTable.id)
        .join(other, other.id == AttemptTable.migration_pk)
        .join(number, number.id == other.number_pk)
        .where(AttemptTable.ended.is_(None), AttemptTable.step == "register", AttemptTable.settle_by > clock.now())
        .where(number.pin_provenance == PinProvenance.SET_ON_CLOUD, other.id != MigrationTable.id)
        .correlate(MigrationTable)
    )
    return query.exists()


async def is_being_tried(tx: AsyncConnection, clock: SqlClock, migration_id: int) -> bool:
    query = select(MigrationTable.id).where(MigrationTable.id == migration_id, being_tried(clock))
    return (await tx.execute(query)).first() is not None
