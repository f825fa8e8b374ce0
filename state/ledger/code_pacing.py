"""No more codes are asked for at once than the operators on duty can type: counted where an intent is committed."""

from sqlalchemy import ScalarSelect, and_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from state.code_steps import REQUEST_STEPS, VERIFY_STEPS
from state.declaring import aliased
from state.enums import Side, Status
from state.models import AttemptTable, MigrationTable, NumberTable
from state.types import SqlClock

PACED = "no more codes are asked for than those on duty can type"
CODE_AFTER = "CODE_AFTER"  # its number is paused and stopped before its code is asked for
# Its first integer is a number of ours that no other lock has; the second tells the homes of one database apart.
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(7204, hashtext(current_schema()))")


async def one_at_a_time(tx: AsyncConnection) -> None:
    """Two intents that count the same codes, or try a PIN, follow one another; SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        await tx.execute(_ONE_AT_A_TIME)


def awaited(clock: SqlClock) -> ScalarSelect[int]:
    """How many other numbers have a code on its way that an operator types, of all waves and workers.

    A customer who said so in its room types the code itself.
    """
    other, number = aliased(MigrationTable, "awaiting"), aliased(NumberTable, "awaiting_number")
    asking = select(AttemptTable.id).where(AttemptTable.migration_pk == other.id, AttemptTable.ended.is_(None))
    begun = or_(other.paused_at.is_not(None), other.crossed_at.is_not(None))
    on_its_way = or_(
        other.next_step.in_(VERIFY_STEPS),
        and_(other.next_step.in_(REQUEST_STEPS), or_(other.crossed_at.is_not(None), asking.exists())),
        and_(other.itinerary == CODE_AFTER, begun, other.side != Side.CLOUD),
    )
    in_its_room = and_(number.ready_how == "room", number.ready_until >= clock.now())
    query = (
        select(func.count())
        .select_from(other)
        .join(number, number.id == other.number_pk)
        .where(other.ended_at.is_(None), other.status != Status.BLOCKED, on_its_way)
        .where(other.id != MigrationTable.id, func.coalesce(~in_its_room, True))
        .correlate(MigrationTable)
    )
    return query.scalar_subquery()


async def is_full(tx: AsyncConnection, clock: SqlClock, migration_id: int, limit: int) -> bool:
    """Whether so many codes are on their way beside this number's."""
    query = select(MigrationTable.id).where(MigrationTable.id == migration_id, awaited(clock) >= limit)
    return (await tx.execute(query)).first() is not None
