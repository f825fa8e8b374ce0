"""The guarded update of a live migration that every change by an operator goes through."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import LIVE, Status
from state.errors import Conflict, LeaseLost, NotFound
from state.models import AttemptTable, MigrationTable, NumberTable
from state.types import SqlClock


async def change_live_migration(
    tx: AsyncConnection,
    clock: SqlClock,
    migration_id: int,
    values: Mapping[str, Any],
    *,
    while_attempt_open: bool = False,
    while_leased: bool = False,
    also: tuple[ColumnElement[bool], ...] = (),
) -> datetime:
    """Write `values` into the row of a live migration. Returns the database's time of the write.

    Refused while a worker holds the number, unless `while_leased`; while a call's outcome is not known, unless
    `while_attempt_open`; and where a condition in `also` does not hold. Raises NotFound, LeaseLost or Conflict, and
    then nothing was written.
    """
    conditions: list[ColumnElement[bool]] = [MigrationTable.id == migration_id, MigrationTable.status.in_(LIVE), *also]
    if not while_leased:
        conditions.append(not_leased(clock))
    if not while_attempt_open:
        open_attempts = select(AttemptTable.id).where(
            AttemptTable.migration_pk == migration_id, AttemptTable.ended.is_(None)
        )
        conditions.append(~open_attempts.exists())
    # A raised fence refuses the writes of a worker that took the number before this change; a raised version makes
    # a worker that holds it read it again.
    fence = MigrationTable.fence + (0 if while_leased else 1)
    changed = await tx.execute(
        update(MigrationTable)
        .where(*conditions)
        .values(**{**values, "fence": fence, "version": MigrationTable.version + 1})
        .returning(clock.now().label("now"))
    )
    row = changed.one_or_none()
    if row is None:
        raise await refusal(tx, clock, migration_id)
    return row.now  # type: ignore[no-any-return]


def not_leased(clock: SqlClock) -> ColumnElement[bool]:
    """No worker holds the number now."""
    return or_(MigrationTable.lease_until.is_(None), MigrationTable.lease_until <= clock.now())


def due_now() -> dict[str, Any]:
    """Columns of a migration whose wait or block is over: the next worker may take it at once."""
    return {
        "status": Status.READY,
        "waiting_until": None,
        "waiting_on": None,
        "reason": None,
        "runbook": None,
        "tries": 0,
    }


async def refusal(tx: AsyncConnection, clock: SqlClock, migration_id: int) -> Exception:
    """Why a change of this migration was refused."""
    query = (
        select(
            NumberTable.ref,
            MigrationTable.status,
            MigrationTable.crossed_at,
            MigrationTable.lease_holder,
            MigrationTable.lease_until,
            AttemptTable.step,
            AttemptTable.opened_at,
            AttemptTable.answer_due,
            (AttemptTable.answer_due > clock.now()).label("in_flight"),
            (MigrationTable.lease_until > clock.now()).label("leased"),
        )
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .outerjoin(AttemptTable, and_(AttemptTable.migration_pk == MigrationTable.id, AttemptTable.ended.is_(None)))
        .where(MigrationTable.id == migration_id)
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return NotFound(f"there is no number migration {migration_id}")
    if row.leased:
        return LeaseLost(f"{held_by(row.ref, row.lease_holder, row.lease_until)}; nothing was changed")
    if row.status not in LIVE:
        return Conflict(f"{row.ref} is {row.status}; nothing was changed")
    if row.step is None:
        why = (
            "is past its point of no return" if row.crossed_at is not None else "has just been changed by somebody else"
        )
        return Conflict(f"{row.ref} {why}; nothing was changed")
    until = f" and may take effect until {row.answer_due:%H:%M:%S} UTC" if row.in_flight else ""
    open_call = f"{row.step} was sent at {row.opened_at:%Y-%m-%d %H:%M:%S} UTC{until}"
    advice = f"`cutover run {row.ref}` finds out what it did"
    return Conflict(f"{row.ref} has a call whose outcome is not known yet: {open_call}; {advice}; nothing was changed")


def held_by(ref: str, holder: str, until: datetime) -> str:
    """Which worker holds the number. It gives it up when the number waits or has ended; a lease of a lost one ends."""
    host, *rest = holder.rsplit(":", 4)
    name = f"{host}, process {rest[0]}" if rest else host
    lost = f"if that worker is lost, until {until:%Y-%m-%d %H:%M:%S} UTC"
    return f"{ref} is held by another worker ({name}) until it waits or has ended; {lost}"
