"""What failed for one number and would fail for others: no other number that it concerns crosses while it stands."""

from functools import cache
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import aliased

from state.enums import OutsideFailure
from state.models import CustomerTable, MigrationTable, NumberTable, WabaTable


@cache
def stopping() -> Select[*tuple[Any, ...]]:
    """Other live numbers whose failure keeps a number of `MigrationTable` from crossing.

    Graph's failure concerns the wave, Terms that are not accepted concern the customer's business. A failure that
    somebody has acknowledged by releasing the wave stops nothing.
    """
    return _stopping(MigrationTable).correlate(MigrationTable)


def stopping_at(migration_id: int) -> Select[*tuple[Any, ...]]:
    """The same for one number, with what a sentence about it needs."""
    this = aliased(MigrationTable)
    return _stopping(this).where(this.id == migration_id).limit(1)


def _stopping(this: Any) -> Select[*tuple[Any, ...]]:
    other, number, waba = aliased(MigrationTable), aliased(NumberTable), aliased(WabaTable)
    own_number, own_waba = aliased(NumberTable), aliased(WabaTable)
    own_customer = (
        select(own_waba.customer_id)
        .join(own_number, own_number.waba_pk == own_waba.id)
        .where(own_number.id == this.number_pk)
        .scalar_subquery()
    )
    concerns = or_(
        and_(other.outside_failure == OutsideFailure.GRAPH, other.wave_pk == this.wave_pk),
        and_(other.outside_failure == OutsideFailure.TERMS, waba.customer_id == own_customer),
    )
    return (
        select(number.ref, other.outside_failure, CustomerTable.name.label("customer"))
        .join(number, number.id == other.number_pk)
        .join(waba, waba.id == number.waba_pk)
        .join(CustomerTable, CustomerTable.id == waba.customer_id)
        .where(other.id != this.id, other.ended_at.is_(None), other.failure_known.is_(False), concerns)
    )


def reason_of(ref: str, failure: str, customer: str) -> str:
    """In one sentence, what the number waits for."""
    if failure == OutsideFailure.TERMS:
        return f"the business of {customer} has not accepted Meta's Terms, as {ref} has met; `cutover show {ref}`"
    return (
        f"Graph has failed at {ref}; no other number of its wave crosses before that is settled; `cutover show {ref}`"
    )
