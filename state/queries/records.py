"""What is on record of one number migration: attempts, findings, codes, events, announcements."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String, and_, cast, func, literal, or_, select

from state.enums import AttemptEnd, Side
from state.ledger import events
from state.models import AttemptTable, CodeTable, EventTable, FindingTable, OutboxTable, SecretTable
from state.queries.reader import Reader
from state.rows import CodeRow, EventRow, FindingRow, OpenAttempt
from state.types import UtcDateTime

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class RecordQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def open_attempt(self, migration_id: int) -> OpenAttempt | None:
        """The attempt whose outcome is not recorded yet; a migration has at most one."""
        intent = literal(f"attempt:{migration_id}/").concat(cast(AttemptTable.number, String))
        sealed = select(SecretTable.id).where(SecretTable.owner == intent, SecretTable.shredded_at.is_(None))
        query = select(AttemptTable.__table__, sealed.exists().label("has_secret")).where(
            AttemptTable.migration_pk == migration_id, AttemptTable.ended.is_(None)
        )
        rows = await self._reader.rows(query)
        if not rows:
            return None
        row = rows[0]
        return OpenAttempt(
            row["id"],
            row["number"],
            row["step"],
            row["key"],
            row["intent"],
            Side(row["side_before"]),
            row["opened_at"],
            row["answer_due"],
            row["settle_by"],
            row["answer"],
            row["has_secret"],
        )

    async def attempts(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        """All columns of every attempt, oldest first."""
        query = (
            select(AttemptTable.__table__)
            .where(AttemptTable.migration_pk == migration_id)
            .order_by(AttemptTable.number)
        )
        return tuple(await self._reader.rows(query))

    async def last_refused(self, migration_id: int, step: str) -> Mapping[str, Any] | None:
        """The step's latest attempt that was refused: its number, its answer, and when it ended."""
        columns = (AttemptTable.number, AttemptTable.answer, AttemptTable.ended_at)
        query = (
            select(*columns)
            .where(
                AttemptTable.migration_pk == migration_id,
                AttemptTable.step == step,
                AttemptTable.ended == AttemptEnd.REFUSED,
            )
            .order_by(AttemptTable.number.desc())
            .limit(1)
        )
        rows = await self._reader.rows(query)
        return rows[0] if rows else None

    async def last_number(self, migration_id: int, step: str) -> int:
        """The number of the step's latest attempt, 0 where there is none."""
        query = select(func.coalesce(func.max(AttemptTable.number), 0).label("number")).where(
            AttemptTable.migration_pk == migration_id, AttemptTable.step == step
        )
        return int((await self._reader.rows(query))[0]["number"])

    async def without_effect(self, migration_id: int, step: str) -> int:
        """How often the step's call had no effect since a person last said that it may be tried again."""
        by_a_person = and_(EventTable.kind == "reopened", EventTable.facts["by"].as_string().is_not(None))
        asked = select(func.max(EventTable.at)).where(
            EventTable.migration_pk == migration_id,
            or_(EventTable.kind.in_(["resolved", "switched"]), by_a_person),
        )
        query = select(func.count().label("times")).where(
            AttemptTable.migration_pk == migration_id,
            AttemptTable.step == step,
            AttemptTable.ended == AttemptEnd.NOT_DONE,
            AttemptTable.opened_at > func.coalesce(asked.scalar_subquery(), literal(LONG_AGO, UtcDateTime())),
        )
        return int((await self._reader.rows(query))[0]["times"])

    async def findings(self, migration_id: int, kind: str = "result") -> dict[str, FindingRow]:
        """By step: its latest result, or (`kind` "note") what it noted for its next run."""
        query = select(FindingTable.step, FindingTable.at, FindingTable.facts).where(
            FindingTable.migration_pk == migration_id, FindingTable.kind == kind
        )
        rows = await self._reader.rows(query)
        return {row["step"]: FindingRow(row["step"], row["at"], row["facts"]) for row in rows}

    async def latest_code(self, migration_id: int) -> CodeRow | None:
        """The verification code that was typed in last, used or not."""
        query = (
            select(CodeTable.id, CodeTable.entered_at, CodeTable.entered_by, CodeTable.state)
            .where(CodeTable.migration_pk == migration_id)
            .order_by(CodeTable.id.desc())
            .limit(1)
        )
        rows = await self._reader.rows(query)
        return CodeRow(**rows[0]) if rows else None

    async def events(self, migration_id: int) -> tuple[EventRow, ...]:
        """In the order in which they were written."""
        query = (
            select(EventTable.seq, EventTable.at, EventTable.kind, EventTable.facts)
            .where(EventTable.migration_pk == migration_id)
            .order_by(EventTable.seq)
        )
        return tuple(EventRow(**row) for row in await self._reader.rows(query))

    async def broken_link(self, migration_id: int) -> int | None:
        """The number of the first event that was changed, or that follows a removed one; None if there is none."""
        async with self._reader.engine.connect() as connection:
            return await events.first_broken_link(connection, migration_id)

    async def outbox(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        """All columns of every announcement to the customer's senders, oldest first."""
        query = select(OutboxTable.__table__).where(OutboxTable.migration_pk == migration_id).order_by(OutboxTable.id)
        return tuple(await self._reader.rows(query))
