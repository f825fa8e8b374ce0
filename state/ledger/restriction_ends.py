"""What Meta has reported of an account and what has ended since, and the numbers that it has kept from going on."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import OutsideFailure, Status
from state.ledger import events
from state.ledger.guard import due_now
from state.ledger.waiting_webhooks import has_end
from state.ledger.wave_events import OURSELVES
from state.models import EventTable, MigrationTable, NumberTable, WabaTable
from state.proof import account_keeps, restricted_until, without_ended
from state.types import SqlClock

BECAUSE = "the restriction of its account has ended"


async def end_restrictions(tx: AsyncConnection, clock: SqlClock) -> tuple[int, int]:
    """How many accounts are doubted no longer, and how many refused numbers are tried again.

    In one transaction. A number is due by what is on record, so it is no matter which comes first: the refusal, the
    end, or the webhook that tells of either.
    """
    now = (await tx.execute(select(clock.now()))).scalar_one()
    # In the order of all writers: migrations before accounts.
    locked = refused_numbers().with_for_update(of=MigrationTable.__table__, key_share=True)
    refused = (await tx.execute(locked)).all()
    ended = 0
    query = select(WabaTable.id, WabaTable.reported).where(has_end()).order_by(WabaTable.id)
    for waba in (await tx.execute(query.with_for_update(of=WabaTable.__table__, key_share=True))).all():
        reported = without_ended(waba.reported, now)
        if reported != waba.reported:
            ended += 1
            await tx.execute(update(WabaTable).where(WabaTable.id == waba.id).values(reported=reported))
    due = are_due(refused, now)
    for migration_id in due:
        again = {"fence": MigrationTable.fence + 1, "version": MigrationTable.version + 1, **due_now()}
        await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_id).values(**again))
        await events.append(tx, migration_id, now, "resolved", {"reason": BECAUSE, "by": OURSELVES})
    return ended, len(due)


def refused_numbers() -> Select[*tuple[Any, ...]]:
    """Numbers that are blocked because Meta has refused a call for their account: id, `at` and `reported`."""
    blocked = select(func.max(EventTable.at)).where(
        EventTable.migration_pk == MigrationTable.id, EventTable.kind == "blocked"
    )
    return (
        select(MigrationTable.id, blocked.correlate(MigrationTable).scalar_subquery().label("at"), WabaTable.reported)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .where(
            MigrationTable.outside_failure == OutsideFailure.ACCOUNT,
            MigrationTable.status == Status.BLOCKED,
            WabaTable.reported.is_not(None),
        )
        .order_by(MigrationTable.id)
    )


def are_due(refused: Sequence[Any], now: datetime) -> list[int]:
    """Those whose account was restricted until after they were blocked, and is so no longer.

    One that is refused again has been blocked after that end: nothing is tried for ever.
    """
    return [row.id for row in refused if _is_over(row.reported, row.at, now)]


def _is_over(reported: Mapping[str, Any], blocked_at: datetime | None, now: datetime) -> bool:
    until = restricted_until(reported)
    if until is None or account_keeps(reported, now) is not None:
        return False
    return until <= now.timestamp() and (blocked_at is None or until >= int(blocked_at.timestamp()))
