"""The epoch that a restore begins: what was read, sent and announced since the backup is not in the record.

Nothing irreversible is sent for a number before both of its sides were read again. Calls that are not known count as
spent, and no announcement has the key of an earlier one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Party, Status
from state.ledger import events
from state.ledger.counted_calls import BUDGET_CALLS, BUDGET_RESERVE, BUDGET_WINDOW
from state.models import Base, BudgetCallTable, FindingTable, HomeTable, MigrationTable, NumberTable
from state.types import DatabaseClock, SqlClock

PAGE = "runbooks/restored.md"
CLOCK = DatabaseClock()
BY_HAND = "an older copy of the database was put in its place"
# Steps whose result counts for a while only; it says nothing about the time after a restore.
GROW_OLD = ("pause_sends", "drain", "secure_pin", "back_up")
# Announcements made since a backup are fewer than the seconds since its home was made, and at the least fewer than:
LEAST_STEP = 1000


@dataclass(frozen=True, slots=True)
class BudgetCall:
    phone_number_id: str
    call: str
    at: datetime
    before_import: bool


CALL = (BudgetCallTable.phone_number_id, BudgetCallTable.call, BudgetCallTable.at, BudgetCallTable.before_import)


async def budget_calls(database: AsyncEngine) -> Sequence[BudgetCall] | None:
    """All calls on record; None where they cannot be read, as in another schema."""
    try:
        async with database.connect() as connection:
            return [BudgetCall(*row) for row in (await connection.execute(select(*CALL))).all()]
    except SQLAlchemyError:
        return None


async def numbers_and_held(database: AsyncEngine) -> tuple[int, int]:
    """How many numbers there are, and how many of them a worker holds now. Any schema."""
    held = select(func.count()).select_from(MigrationTable).where(MigrationTable.lease_until > CLOCK.now())
    async with database.connect() as connection:
        numbers = (await connection.execute(select(func.count()).select_from(NumberTable))).scalar_one()
        return int(numbers), int((await connection.execute(held)).scalar_one())


async def move_tables(connection: AsyncConnection, schema: str) -> None:
    """PostgreSQL: put all of our tables into a schema of their own, where they are kept."""
    await connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    for name in [*Base.metadata.tables, "alembic_version"]:
        await connection.execute(text(f'ALTER TABLE IF EXISTS "{name}" SET SCHEMA "{schema}"'))


async def begin_epoch(
    database: AsyncEngine,
    openings: int,
    record_from: datetime | None,
    calls: Sequence[BudgetCall] | None,
    clock: SqlClock = CLOCK,
) -> tuple[int, int]:
    """Returns the epoch, and how many numbers wait until both of their sides were read.

    `record_from`: when the backup was taken; None where a copy of the database was put in its place by hand.
    """
    async with database.begin() as tx:
        return await begin_epoch_within(tx, openings, record_from, calls, clock)


async def begin_epoch_within(
    tx: AsyncConnection,
    openings: int,
    record_from: datetime | None,
    calls: Sequence[BudgetCall] | None,
    clock: SqlClock = CLOCK,
) -> tuple[int, int]:
    """As `begin_epoch`, in a transaction of the caller's."""
    now = (await tx.execute(select(clock.now()))).scalar_one()
    values = {
        "epoch": HomeTable.epoch + 1,
        "epoch_mark": secrets.token_hex(4),
        "openings": openings,
        "restored_at": now,
        "record_from": record_from,
        "place": None,  # the next opening writes it
    }
    epoch = (await tx.execute(update(HomeTable).values(values).returning(HomeTable.epoch))).scalar_one()
    await _spend(tx, now, calls)
    return int(epoch), await _stop_every_number(tx, now, record_from)


async def _spend(tx: AsyncConnection, now: datetime, calls: Sequence[BudgetCall] | None) -> None:
    """Calls that the old database knows are taken over; where it cannot be read, all that we may make count as made."""
    known = {BudgetCall(*row) for row in (await tx.execute(select(*CALL))).all()}
    if calls is not None:
        rows = [call for call in calls if call not in known]
    else:
        rows = []
        for phone_number_id in (await tx.execute(select(NumberTable.phone_number_id))).scalars().all():
            for name in ("register", "deregister"):
                spent = sum(
                    (call.phone_number_id, call.call) == (phone_number_id, name) and call.at > now - BUDGET_WINDOW
                    for call in known
                )
                left = max(BUDGET_CALLS - BUDGET_RESERVE - spent, 0)
                rows += [BudgetCall(phone_number_id, name, now, False)] * left
    for row in rows:
        values = {"phone_number_id": row.phone_number_id, "call": row.call, "at": row.at}
        await tx.execute(insert(BudgetCallTable).values(**values, before_import=row.before_import))


async def _stop_every_number(tx: AsyncConnection, now: datetime, record_from: datetime | None) -> int:
    """Each live number waits for a person. Its next announcement has a higher epoch than any since the backup."""
    home = (await tx.execute(select(HomeTable.epoch_mark, HomeTable.made_at))).one()
    higher = max(int((now - home.made_at).total_seconds()), LEAST_STEP)
    copy = f"the record was restored from {record_from:%Y-%m-%d %H:%M} UTC" if record_from is not None else BY_HAND
    reason = f"{copy}: both sides have to be read first"
    stopped = await tx.execute(
        update(MigrationTable)
        .where(MigrationTable.ended_at.is_(None))
        .values(
            status=Status.BLOCKED,
            waiting_on=Party.OPERATOR,
            waiting_until=None,
            reason=reason,
            runbook=PAGE,
            lease_holder=None,
            lease_until=None,
            moving_until=None,
            fence=MigrationTable.fence + 1,
            version=MigrationTable.version + 1,
            epoch=MigrationTable.epoch + higher,
        )
        .returning(MigrationTable.id)
    )
    ids = stopped.scalars().all()
    not_crossed = select(MigrationTable.id).where(MigrationTable.id.in_(ids), MigrationTable.crossed_at.is_(None))
    await tx.execute(
        delete(FindingTable).where(FindingTable.migration_pk.in_(not_crossed), FindingTable.step.in_(GROW_OLD))
    )
    facts = {"record_from": record_from.isoformat() if record_from is not None else None, "mark": home.epoch_mark}
    for migration_id in ids:
        await events.append(tx, migration_id, now, "restored", facts)
    return len(ids)
