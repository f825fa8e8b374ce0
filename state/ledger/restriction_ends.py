"""What Meta has reported of an account with an end that has passed, and the numbers that it has kept from going on."""

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import OutsideFailure, Status
from state.ledger import events
from state.ledger.guard import due_now
from state.ledger.waiting_webhooks import has_end
from state.ledger.wave_events import OURSELVES
from state.models import MigrationTable, NumberTable, WabaTable
from state.proof import without_ended
from state.types import SqlClock

BECAUSE = "the restriction of its account has ended"


async def end_restrictions(tx: AsyncConnection, clock: SqlClock) -> tuple[int, int]:
    """How many accounts are doubted no longer, and how many of their numbers are tried again.

    Both in one transaction: a number that a process left blocked between the two would wait for a person, since the
    end of a restriction is found once.
    """
    now = (await tx.execute(select(clock.now()))).scalar_one()
    # In the order of all writers: migrations before accounts.
    refused = (
        select(MigrationTable.id, NumberTable.waba_pk)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .where(
            has_end(),
            MigrationTable.status == Status.BLOCKED,
            MigrationTable.outside_failure == OutsideFailure.ACCOUNT,
        )
        .order_by(MigrationTable.id)
        .with_for_update(of=MigrationTable.__table__, key_share=True)
    )
    blocked = (await tx.execute(refused)).all()
    ended = set()
    query = select(WabaTable.id, WabaTable.reported).where(has_end()).order_by(WabaTable.id)
    for waba in (await tx.execute(query.with_for_update(of=WabaTable.__table__, key_share=True))).all():
        reported = without_ended(waba.reported, now)
        if reported != waba.reported:
            ended.add(waba.id)
            await tx.execute(update(WabaTable).where(WabaTable.id == waba.id).values(reported=reported))
    due = [row.id for row in blocked if row.waba_pk in ended]
    for migration_id in due:
        again = {"fence": MigrationTable.fence + 1, "version": MigrationTable.version + 1, **due_now()}
        await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_id).values(**again))
        await events.append(tx, migration_id, now, "resolved", {"reason": BECAUSE, "by": OURSELVES})
    return len(ended), len(due)
