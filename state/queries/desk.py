"""The numbers of the code desk: those whose code somebody has to type, and those whose person can be called."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import and_, case, func, or_, select

from state.code_steps import NO_CODE_PAGE, REQUEST_STEPS, VERIFY_STEPS
from state.enums import Status
from state.ledger.code_pacing import PACED
from state.ledger.readiness import NOBODY, WAITS_FOR_PERSON_BEFORE
from state.models import CodeTable, CustomerTable, MigrationTable, NumberTable
from state.queries.position_rows import position_of, select_positions
from state.queries.reader import Reader
from state.rows import Position


@dataclass(frozen=True, slots=True)
class DeskRow:
    """`last_code`: the state of the code that was typed in last, as in CodeRow. `contact`: whom to call."""

    position: Position
    contact: str | None
    language: str | None
    time_zone: str | None
    hours: str | None
    last_code: str | None


class DeskQueries:
    """`is_gone`: whether the worker of that name is known to have exited."""

    def __init__(self, reader: Reader, is_gone: Callable[[str], bool]) -> None:
        self._reader = reader
        self._is_gone = is_gone

    async def rows(self, *, slots_within: timedelta = timedelta(hours=12), limit: int = 200) -> tuple[DeskRow, ...]:
        """What waits for a code first, the one that expires first at the top; then those that somebody is ready for."""
        migration, number, now = MigrationTable, NumberTable, self._reader.clock.now
        waits = and_(migration.status == Status.WAITING, migration.next_step.in_(VERIFY_STEPS))
        nobody = and_(
            migration.status.in_([Status.WAITING, Status.HELD]),
            migration.next_step.in_(WAITS_FOR_PERSON_BEFORE),
            or_(migration.reason.startswith(NOBODY), migration.reason.startswith(PACED)),
        )
        asks = and_(migration.next_step.in_(REQUEST_STEPS), migration.status != Status.BLOCKED)
        never_came = and_(migration.status == Status.BLOCKED, migration.runbook == NO_CODE_PAGE)
        ready = number.ready_until >= now()
        booked = and_(number.slot_until >= now(), number.slot_from <= now(slots_within))
        last_code = (
            select(CodeTable.state)
            .where(CodeTable.migration_pk == migration.id)
            .order_by(CodeTable.id.desc())
            .limit(1)
            .correlate(migration)
            .scalar_subquery()
        )
        order = case((waits, 0), (ready, 1), (booked, 2), (asks, 3), (never_came, 4), else_=5)
        query = (
            select_positions()
            .add_columns(
                CustomerTable.contact.label("desk_contact"),
                CustomerTable.language.label("desk_language"),
                CustomerTable.time_zone.label("desk_zone"),
                CustomerTable.hours.label("desk_hours"),
                last_code.label("desk_code"),
            )
            .where(migration.ended_at.is_(None), or_(waits, nobody, asks, never_came, ready, booked))
            .order_by(order, func.coalesce(migration.waiting_until, number.slot_from), migration.id)
            .limit(limit)
        )
        return tuple(
            DeskRow(
                position_of(row, self._is_gone),
                row["desk_contact"],
                row["desk_language"],
                row["desk_zone"],
                row["desk_hours"],
                row["desk_code"],
            )
            for row in await self._reader.rows(query)
        )
