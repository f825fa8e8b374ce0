"""Who is called for a code: customers, operators on duty, rooms, and what codes were asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from state.code_steps import REQUEST_STEPS
from state.ledger.code_pacing import awaited
from state.ledger.people import Shift
from state.models import (
    AttemptTable,
    CodeTable,
    CustomerTable,
    DutyShiftTable,
    MigrationTable,
    NumberTable,
    RoomTable,
)
from state.queries.position_rows import position_of, select_positions
from state.queries.positions import is_newest
from state.queries.reader import Reader
from state.rows import CodeRequestRow, Position


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """Whom to call. `hours`: in `time_zone`, as `migration.fleet.allowed_hours` reads them; None: at any hour."""

    name: str
    contact: str | None
    language: str | None
    time_zone: str | None
    hours: str | None
    consent_at: datetime | None
    consent_by: str | None


@dataclass(frozen=True, slots=True)
class RoomRow:
    number_id: int
    version: int
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    consented_at: datetime | None
    seen_at: datetime | None
    wrong_codes: int
    codes_from: datetime | None


class PeopleQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def customers(self) -> tuple[CustomerRow, ...]:
        """Every customer, by name."""
        columns = [getattr(CustomerTable, name) for name in CustomerRow.__slots__]
        rows = await self._reader.rows(select(*columns).order_by(CustomerTable.name))
        return tuple(CustomerRow(**row) for row in rows)

    async def customer(self, name: str) -> CustomerRow | None:
        columns = [getattr(CustomerTable, column) for column in CustomerRow.__slots__]
        rows = await self._reader.rows(select(*columns).where(CustomerTable.name == name))
        return CustomerRow(**rows[0]) if rows else None

    async def roster(self) -> tuple[Shift, ...]:
        """Every shift, the earliest first."""
        columns = [getattr(DutyShiftTable, name) for name in Shift.__slots__]
        query = select(*columns).order_by(DutyShiftTable.begins_at, DutyShiftTable.operator)
        return tuple(Shift(**row) for row in await self._reader.rows(query))

    async def on_duty(self) -> tuple[Shift, ...]:
        """The shifts of this moment."""
        now = await self._reader.now()
        return tuple(shift for shift in await self.roster() if shift.begins_at <= now < shift.ends_at)

    async def codes_are_full(self, migration_id: int, limit: int) -> bool:
        """Whether so many codes are on their way beside this number's that operators have to type."""
        mine = select(MigrationTable.id).where(MigrationTable.id == migration_id)
        return bool(await self._reader.rows(mine.where(awaited(self._reader.clock) >= limit)))

    async def code_requests(self, number_id: int) -> tuple[CodeRequestRow, ...]:
        """Every code that was asked for this number, of all its migrations, the latest first."""
        query = (
            select(
                AttemptTable.step,
                AttemptTable.opened_at,
                AttemptTable.intent,
                AttemptTable.ended,
                AttemptTable.answer,
            )
            .join(MigrationTable, MigrationTable.id == AttemptTable.migration_pk)
            .where(MigrationTable.number_pk == number_id, AttemptTable.step.in_(REQUEST_STEPS))
            .order_by(AttemptTable.opened_at.desc(), AttemptTable.id.desc())
        )
        return tuple(
            CodeRequestRow(
                row["step"],
                row["opened_at"],
                str(row["intent"].get("method", "")),
                str(row["intent"].get("language", "")),
                row["ended"],
                row["answer"] or {},
            )
            for row in await self._reader.rows(query)
        )

    async def room(self, number_id: int) -> RoomRow | None:
        columns = [getattr(RoomTable, name) for name in RoomRow.__slots__ if name != "number_id"]
        query = select(RoomTable.number_pk.label("number_id"), *columns).where(RoomTable.number_pk == number_id)
        rows = await self._reader.rows(query)
        return RoomRow(**rows[0]) if rows else None

    async def position_of_number(self, number_id: int) -> Position | None:
        """Its newest migration."""
        query = select_positions().where(is_newest(), NumberTable.id == number_id)
        rows = await self._reader.rows(query)
        return position_of(rows[0], lambda _holder: False) if rows else None

    async def typed_elsewhere(self, tag: str, number_id: int, since: datetime, states: Collection[str]) -> bool:
        """Whether the same digits were typed for another number since then, and have one of these states there."""
        query = (
            select(CodeTable.id)
            .join(MigrationTable, MigrationTable.id == CodeTable.migration_pk)
            .where(CodeTable.tag == tag, CodeTable.state.in_(states))
            .where(MigrationTable.number_pk != number_id, CodeTable.entered_at >= since)
            .limit(1)
        )
        return bool(await self._reader.rows(query))

    async def typed_here(self, tag: str, migration_id: int, since: datetime) -> str | None:
        """What became of the same digits, where they were typed for this number since then."""
        query = (
            select(CodeTable.state)
            .where(CodeTable.tag == tag, CodeTable.migration_pk == migration_id, CodeTable.entered_at >= since)
            .order_by(CodeTable.id.desc())
            .limit(1)
        )
        rows = await self._reader.rows(query)
        return str(rows[0]["state"]) if rows else None
