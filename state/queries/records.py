"""What is on record of one number migration: attempts, findings, codes, events, announcements."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, bindparam, cast, func, literal, or_, select

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
        values = {"of_migration": migration_id, "of_owner": f"attempt:{migration_id}/"}
        rows = await self._reader.rows(_open_attempt(), values)
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
        rows = await self._reader.rows(_last_refused(), {"of_migration": migration_id, "of_step": step})
        return rows[0] if rows else None

    async def last_number(self, migration_id: int, step: str) -> int:
        """The number of the step's latest attempt, 0 where there is none."""
        query = select(func.coalesce(func.max(AttemptTable.number), 0).label("number")).where(
            AttemptTable.migration_pk == migration_id, AttemptTable.step == step
        )
        return int((await self._reader.rows(query))[0]["number"])

    async def without_effect(self, migration_id: int, step: str) -> int:
        """How often the step's call had no effect since a person last said that it may be tried again."""
        values = {"of_migration": migration_id, "of_step": step}
        return int((await self._reader.rows(_without_effect(), values))[0]["times"])

    async def reopened(self, migration_id: int, step: str) -> int:
        """How often a worker has put the number back on this step since a person last decided about it."""
        values = {"of_migration": migration_id, "of_step": step}
        return int((await self._reader.rows(_reopened(), values))[0]["times"])

    async def last_released(self, migration_id: int) -> datetime | None:
        """When a person last let the number cross."""
        query = select(func.max(EventTable.at).label("at")).where(
            EventTable.migration_pk == migration_id, EventTable.kind == "released"
        )
        at: datetime | None = (await self._reader.rows(query))[0]["at"]
        return at

    async def findings(self, migration_id: int, kind: str = "result") -> dict[str, FindingRow]:
        """By step: its latest result, or (`kind` "note") what it noted for its next run."""
        rows = await self._reader.rows(_findings(), {"of_migration": migration_id, "of_kind": kind})
        return {row["step"]: FindingRow(row["step"], row["at"], row["facts"]) for row in rows}

    async def results_and_notes(self, migration_id: int) -> tuple[dict[str, FindingRow], dict[str, FindingRow]]:
        """Both kinds of `findings` with one statement."""
        found: dict[str, dict[str, FindingRow]] = {"result": {}, "note": {}}
        for row in await self._reader.rows(_results_and_notes(), {"of_migration": migration_id}):
            found[row["kind"]][row["step"]] = FindingRow(row["step"], row["at"], row["facts"])
        return found["result"], found["note"]

    async def latest_code(self, migration_id: int) -> CodeRow | None:
        """The verification code that was typed in last, used or not."""
        rows = await self._reader.rows(_latest_code(), {"of_migration": migration_id})
        return CodeRow(**rows[0]) if rows else None

    async def events(self, migration_id: int, last: int | None = None) -> tuple[EventRow, ...]:
        """In the order in which they were written; at most the `last` so many, where that is given."""
        query = (
            select(EventTable.seq, EventTable.at, EventTable.kind, EventTable.facts)
            .where(EventTable.migration_pk == migration_id)
            .order_by(EventTable.seq.desc())
            .limit(last)
        )
        return tuple(EventRow(**row) for row in reversed(await self._reader.rows(query)))

    async def broken_link(self, migration_id: int, last: int | None = None) -> int | None:
        """The number of the first event that was changed, or that follows a removed one; None if there is none.

        `last`: only the last so many are looked at.
        """
        async with self._reader.engine.connect() as connection:
            return await events.first_broken_link(connection, migration_id, last)

    async def outbox(self, migration_id: int) -> tuple[Mapping[str, Any], ...]:
        """All columns of every announcement to the customer's senders, oldest first."""
        query = select(OutboxTable.__table__).where(OutboxTable.migration_pk == migration_id).order_by(OutboxTable.id)
        return tuple(await self._reader.rows(query))


# -- made once, because every number or step asks it


@cache
def _open_attempt() -> Select[*tuple[Any, ...]]:
    intent = bindparam("of_owner", type_=String()).concat(cast(AttemptTable.number, String))
    sealed = select(SecretTable.id).where(SecretTable.owner == intent, SecretTable.shredded_at.is_(None))
    return select(AttemptTable.__table__, sealed.exists().label("has_secret")).where(
        AttemptTable.migration_pk == bindparam("of_migration"), AttemptTable.ended.is_(None)
    )


@cache
def _last_refused() -> Select[*tuple[Any, ...]]:
    return (
        select(AttemptTable.number, AttemptTable.answer, AttemptTable.ended_at)
        .where(
            AttemptTable.migration_pk == bindparam("of_migration"),
            AttemptTable.step == bindparam("of_step"),
            AttemptTable.ended == AttemptEnd.REFUSED,
        )
        .order_by(AttemptTable.number.desc())
        .limit(1)
    )


def _by_a_person() -> ColumnElement[bool]:
    return and_(EventTable.kind == "reopened", EventTable.facts["by"].as_string().is_not(None))


def _last_decided() -> Select[*tuple[Any, ...]]:
    """When a person last said that the number may be tried again."""
    return select(func.max(EventTable.at)).where(
        EventTable.migration_pk == bindparam("of_migration"),
        or_(EventTable.kind.in_(["resolved", "switched"]), _by_a_person()),
    )


@cache
def _reopened() -> Select[*tuple[Any, ...]]:
    long_ago = literal(LONG_AGO, UtcDateTime())
    return select(func.count().label("times")).where(
        EventTable.migration_pk == bindparam("of_migration"),
        EventTable.kind == "reopened",
        EventTable.facts["by"].as_string().is_(None),
        EventTable.facts["to"].as_string() == bindparam("of_step"),
        EventTable.at > func.coalesce(_last_decided().scalar_subquery(), long_ago),
    )


@cache
def _without_effect() -> Select[*tuple[Any, ...]]:
    asked = _last_decided()
    return select(func.count().label("times")).where(
        AttemptTable.migration_pk == bindparam("of_migration"),
        AttemptTable.step == bindparam("of_step"),
        AttemptTable.ended == AttemptEnd.NOT_DONE,
        AttemptTable.opened_at > func.coalesce(asked.scalar_subquery(), literal(LONG_AGO, UtcDateTime())),
    )


@cache
def _findings() -> Select[*tuple[Any, ...]]:
    return select(FindingTable.step, FindingTable.at, FindingTable.facts).where(
        FindingTable.migration_pk == bindparam("of_migration"), FindingTable.kind == bindparam("of_kind")
    )


@cache
def _results_and_notes() -> Select[*tuple[Any, ...]]:
    columns = (FindingTable.kind, FindingTable.step, FindingTable.at, FindingTable.facts)
    kinds = FindingTable.kind.in_(["result", "note"])
    return select(*columns).where(FindingTable.migration_pk == bindparam("of_migration"), kinds)


@cache
def _latest_code() -> Select[*tuple[Any, ...]]:
    return (
        select(CodeTable.id, CodeTable.entered_at, CodeTable.entered_by, CodeTable.state)
        .where(CodeTable.migration_pk == bindparam("of_migration"))
        .order_by(CodeTable.id.desc())
        .limit(1)
    )
