"""Whether a customer's business has accepted Meta's Terms: no call reads it, so it is shown by a `register` or stated.

Without either, the client of a number that needs a code is not stopped: `register` would be refused after it, and
the number would stay dark until the customer has accepted them.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Disposition, Party, Status
from state.ledger import events
from state.ledger.guard import due_now
from state.ledger.versions import raise_versions
from state.models import CustomerTable, MigrationTable, NumberTable, WabaTable
from state.types import SqlClock

# The steps before which a number waits for it.
WAITS_FOR_TERMS_BEFORE = ("secure_pin", "deregister_onprem")


# In place of who states it, where a `register` was refused for the Terms: whoever said so was wrong, or they are new.
REFUTED = "refuted by a refused register"


def are_known() -> ColumnElement[bool]:
    """Of the customer of `CustomerTable`.

    A number of its that was on Cloud at its import shows it too, but for what a refused `register` has refuted since.
    """
    on_cloud = (
        select(NumberTable.id)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .where(WabaTable.customer_id == CustomerTable.id, NumberTable.disposition == Disposition.ALREADY_ON_CLOUD)
        .correlate(CustomerTable)
    )
    never_refuted = CustomerTable.terms_known_by.is_distinct_from(REFUTED)
    return or_(CustomerTable.terms_known_at.is_not(None), and_(never_refuted, on_cloud.exists()))


class Terms:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def state(self, number_id: int, because: str, by: str) -> None:
        """Record a person's statement about the customer of this number; its waiting numbers go on."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await tx.execute(
                update(CustomerTable)
                .where(CustomerTable.id == _customer_of(number_id))
                .values(terms_known_at=now, terms_known_by=by)
            )
            live = (
                update(MigrationTable)  # locks the row, which keeps the events in one chain
                .where(MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None))
                .values(version=MigrationTable.version + 1)
                .returning(MigrationTable.id)
            )
            for row in (await tx.execute(live)).all():
                await events.append(tx, row.id, now, "terms_stated", {"by": by, "reason": because})
            await let_go_on(tx, number_id)


async def state_in_inventory(tx: AsyncConnection, stated: Mapping[str, str | None], now: datetime) -> None:
    """By customer, who states it in the inventory; nothing where nobody does, or where it is known.

    Nor where a `register` was refused for it since: the same file, imported again for another reason, is no new word.
    """
    for customer, by in sorted(stated.items()):
        if by is not None:
            unknown = (CustomerTable.name == customer, CustomerTable.terms_known_at.is_(None))
            not_refuted = CustomerTable.terms_known_by.is_distinct_from(REFUTED)
            await tx.execute(
                update(CustomerTable).where(*unknown, not_refuted).values(terms_known_at=now, terms_known_by=by)
            )


async def refuted(tx: AsyncConnection, number_id: int) -> None:
    """A `register` was refused for the Terms: nobody's word and no other number shows them accepted any more."""
    of_customer = update(CustomerTable).where(CustomerTable.id == _customer_of(number_id))
    await tx.execute(of_customer.values(terms_known_at=None, terms_known_by=REFUTED))


async def shown_by_register(tx: AsyncConnection, number_id: int, now: Any) -> None:
    """A `register` of this number went through. Writes only where it was not known before."""
    shown = await tx.execute(_shown_by_register(), {"w_number": number_id, "v_now": now})
    if shown.rowcount:
        await let_go_on(tx, number_id)


async def let_go_on(tx: AsyncConnection, number_id: int) -> None:
    """Numbers of the same customer that wait for it are due, and workers that are at others read them again."""
    of_customer = MigrationTable.number_pk.in_(
        select(NumberTable.id)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .where(WabaTable.customer_id == _customer_of(number_id), NumberTable.id != number_id)
    )
    # First: on PostgreSQL a wait that is written between the two statements is found by the second.
    await raise_versions(tx, of_customer)
    waiting = (MigrationTable.status == Status.WAITING, MigrationTable.waiting_on == Party.OPERATOR)
    await tx.execute(
        update(MigrationTable)
        .where(
            of_customer,
            *waiting,
            MigrationTable.next_step.in_(WAITS_FOR_TERMS_BEFORE),
            MigrationTable.crossed_at.is_(None),
        )
        .values(**due_now())
    )


@cache  # made once, because every number registers
def _shown_by_register() -> Any:
    number: Any = bindparam("w_number")
    ref = select(NumberTable.ref).where(NumberTable.id == number).scalar_subquery()
    return (
        update(CustomerTable)
        .where(CustomerTable.id == _customer_of(number), CustomerTable.terms_known_at.is_(None))
        .values(terms_known_at=bindparam("v_now"), terms_known_by=ref.concat(" was registered"))
    )


def _customer_of(number_id: Any) -> Any:
    return (
        select(WabaTable.customer_id)
        .join(NumberTable, NumberTable.waba_pk == WabaTable.id)
        .where(NumberTable.id == number_id)
        .scalar_subquery()
    )
