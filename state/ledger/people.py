"""Who is called for a code: the customers' columns of an inventory, and the roster of operators on duty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.errors import Conflict
from state.ledger import home_events
from state.ledger.inserting import insert_rows
from state.models import CustomerTable, DutyShiftTable
from state.types import SqlClock

ROSTER_READ = "duty_roster_read"
CUSTOMERS_READ = "customers_read"


@dataclass(frozen=True, slots=True)
class NewCustomer:
    """What a file says of a customer; None where it says nothing, and then what is known stays.

    `contact`: whom to call, and how. `hours`: as `migration.fleet.allowed_hours` reads them, in `time_zone`.
    `consent_by`: who has the customer's consent in hand.
    """

    contact: str | None = None
    language: str | None = None
    time_zone: str | None = None
    hours: str | None = None
    consent_by: str | None = None

    def over(self, other: "NewCustomer") -> "NewCustomer":
        """Its own values, and the other's where it has none."""
        return NewCustomer(**{name: getattr(self, name) or getattr(other, name) for name in self.__slots__})


NOBODY_NAMED = NewCustomer()


@dataclass(frozen=True, slots=True)
class Shift:
    """When an operator is on duty. `begins_at` and `ends_at` are aware. `languages`: separated by spaces."""

    operator: str
    contact: str | None
    languages: str
    time_zone: str
    begins_at: datetime
    ends_at: datetime


class People:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def replace_roster(self, shifts: Sequence[Shift], by: str) -> None:
        """The roster is what this file says, and nothing else."""
        async with self._engine.begin() as tx:
            await tx.execute(delete(DutyShiftTable))
            await insert_rows(
                tx, DutyShiftTable, [{name: getattr(shift, name) for name in shift.__slots__} for shift in shifts]
            )
            facts = {"shifts": len(shifts), "operators": len({shift.operator for shift in shifts}), "by": by}
            await home_events.append(tx, self._clock, ROSTER_READ, facts)

    async def correct_customers(self, customers: Mapping[str, NewCustomer], by: str) -> None:
        """Take over what a file says of known customers. Raises Conflict for an unknown one; nothing was changed."""
        async with self._engine.begin() as tx:
            known = set((await tx.execute(select(CustomerTable.name))).scalars())
            unknown = sorted(customers.keys() - known)
            if unknown:
                raise Conflict(f"{len(unknown)} customers of the file are not imported; nothing was changed")
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await write_customers(tx, customers, now)
            await home_events.append(tx, self._clock, CUSTOMERS_READ, {"customers": len(customers), "by": by})


async def write_customers(tx: AsyncConnection, customers: Mapping[str, NewCustomer], now: datetime) -> None:
    """In one order for all writers: two of them in different orders would wait for each other."""
    for name, new in sorted(customers.items()):
        values = {column: value for column in new.__slots__ if (value := getattr(new, column)) is not None}
        if new.consent_by is not None:
            values["consent_at"] = now
        if values:
            await tx.execute(update(CustomerTable).where(CustomerTable.name == name).values(**values))
