"""What failed for one number and would fail for others: no other number that it concerns crosses while it stands."""

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.declaring import aliased
from state.enums import OutsideFailure, Status
from state.ledger.versions import raise_versions
from state.models import MigrationTable, NumberTable, WabaTable

# Stands in the row only inside the transaction that settles a failure: it tells that there was one to settle.
SETTLED = "settled"
NO_PAGE = "runbooks/refused.md"  # of a blocked number that names none


def settled() -> ColumnElement[Any]:
    """The new value of `outside_failure` where the call has gone through."""
    return case((MigrationTable.outside_failure.is_not(None), SETTLED), else_=None)


async def release_others(tx: AsyncConnection, migration_id: int) -> None:
    """The number's failure is settled: those that it kept from crossing go on at once.

    Without that they would be held until the next look, and a run of their wave would end before it.
    """
    await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_id).values(outside_failure=None))
    others = and_(MigrationTable.id != migration_id, MigrationTable.ended_at.is_(None), _concerned_by(migration_id))
    # A worker that has just decided to hold its number writes that later: it has to read and decide anew.
    await raise_versions(tx, MigrationTable.lease_holder.is_not(None), others)
    held = and_(MigrationTable.status == Status.HELD, MigrationTable.hold.is_(False))
    await tx.execute(
        update(MigrationTable).where(held, others).values(status=Status.READY, waiting_until=None, reason=None)
    )


def _concerned_by(migration_id: int) -> ColumnElement[bool]:
    """Numbers of the same wave, or of the same customer."""
    this = aliased(MigrationTable, "failing_here")
    wave = select(this.wave_pk).where(this.id == migration_id).scalar_subquery()
    number, waba = aliased(NumberTable, "failing_number"), aliased(WabaTable, "failing_waba")
    own = select(waba.customer_id).join(number, number.waba_pk == waba.id)
    customer = own.join(this, this.number_pk == number.id).where(this.id == migration_id).scalar_subquery()
    theirs = select(NumberTable.id).join(WabaTable, WabaTable.id == NumberTable.waba_pk)
    of_customer = theirs.where(WabaTable.customer_id == customer)
    return or_(MigrationTable.wave_pk == wave, MigrationTable.number_pk.in_(of_customer))


@cache
def stopping() -> Select[*tuple[Any, ...]]:
    """Other live numbers whose failure keeps a number of `MigrationTable` from crossing.

    Graph's failure concerns the wave, Terms that are not accepted concern the customer's business, a restricted account
    its WABA. A failure that somebody has acknowledged by releasing the wave stops nothing.
    """
    return _stopping(MigrationTable).correlate(MigrationTable)


def stopping_at(migration_id: int) -> Select[*tuple[Any, ...]]:
    """The same for one number, with what a sentence about it needs."""
    this = aliased(MigrationTable, "failing")
    return _stopping(this).where(this.id == migration_id).limit(1)


@cache
def held_for(column: str) -> ColumnElement[str]:
    """Of the number whose failure keeps a held one from crossing: its `ref`, or its `page`; NULL where none does.

    `page`: the runbook that a person has to follow there; NULL while nobody has to. One that is blocked comes first.
    """
    query = stopping()
    shown = query.selected_columns
    one = query.with_only_columns(shown[column]).order_by(shown.page.is_(None), shown.ref).limit(1)
    return case((MigrationTable.status == Status.HELD, one.scalar_subquery()), else_=None)


def _stopping(this: Any) -> Select[*tuple[Any, ...]]:
    other, number, waba = (
        aliased(MigrationTable, "other_failing"),
        aliased(NumberTable, "other_number"),
        aliased(WabaTable, "other_waba"),
    )
    own_number, own_waba = aliased(NumberTable, "own_number"), aliased(WabaTable, "own_waba")
    own_customer = (
        select(own_waba.customer_id)
        .join(own_number, own_number.waba_pk == own_waba.id)
        .where(own_number.id == this.number_pk)
        .correlate(this)  # else each of them would have a row of its own: any number's customer
        .scalar_subquery()
    )
    own_waba_pk = select(own_number.waba_pk).where(own_number.id == this.number_pk).correlate(this).scalar_subquery()
    page = case((other.status == Status.BLOCKED, func.coalesce(other.runbook, NO_PAGE)), else_=None)
    concerns = or_(
        and_(other.outside_failure == OutsideFailure.GRAPH, other.wave_pk == this.wave_pk),
        and_(other.outside_failure == OutsideFailure.TERMS, waba.customer_id == own_customer),
        and_(other.outside_failure == OutsideFailure.ACCOUNT, number.waba_pk == own_waba_pk),
    )
    return (
        select(number.ref, other.outside_failure, page.label("page"))
        .join(number, number.id == other.number_pk)
        .join(waba, waba.id == number.waba_pk)
        # The words by themselves as well: they are what the index finds, of a fleet that has hardly any.
        .where(other.outside_failure.in_((OutsideFailure.GRAPH, OutsideFailure.TERMS, OutsideFailure.ACCOUNT)))
        .where(other.id != this.id, other.ended_at.is_(None), other.failure_known.is_(False), concerns)
    )


def reason_of(ref: str, failure: str) -> str:
    """In one sentence, what the number waits for. It stands in the record, so it names no customer."""
    if failure == OutsideFailure.TERMS:
        return f"its customer's business has not accepted Meta's Terms, as {ref} has met; `cutover show {ref}`"
    if failure == OutsideFailure.ACCOUNT:
        return f"Meta has restricted its WABA, as {ref} has met; `cutover show {ref}`"
    return (
        f"Graph has failed at {ref}; no other number of its wave crosses before that is settled; `cutover show {ref}`"
    )
