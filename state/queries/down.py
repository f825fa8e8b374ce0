"""Numbers that are on neither side now, and a mark that changes when anything on a page could have."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from state.models import CauseTable, EventTable, MigrationTable, WaveEventTable
from state.queries.position_rows import position_of, select_positions
from state.queries.reader import Reader
from state.rows import Position


class DownQueries:
    """`is_gone`: whether the worker of that name is known to have exited."""

    def __init__(self, reader: Reader, is_gone: Callable[[str], bool]) -> None:
        self._reader = reader
        self._is_gone = is_gone

    async def now(self, limit: int = 50) -> tuple[Position, ...]:
        """Live migrations that are dark, or may be since a call of ours; the longest outage first."""
        since = func.coalesce(MigrationTable.served_at, MigrationTable.dark_from, MigrationTable.dark_since)
        order = (MigrationTable.dark_by_us.desc(), since, MigrationTable.id)
        ids = select(MigrationTable.id).where(_is_down()).order_by(*order).limit(limit)
        wanted = [row["id"] for row in await self._reader.rows(ids, long=True)]
        query = select_positions().where(MigrationTable.id.in_(wanted)).order_by(*order)
        return tuple(position_of(row, self._is_gone) for row in await self._reader.rows(query))

    async def mark(self) -> str:
        """Another text than before once a number, a wave or a cause has changed, or a side was read again."""
        others: tuple[Any, ...] = (
            select(func.max(EventTable.id)),
            select(func.max(WaveEventTable.id)),
            select(func.max(CauseTable.id)),
            select(func.count()).select_from(CauseTable).where(CauseTable.resolved_at.is_(None)),
        )
        query = select(
            func.max(MigrationTable.seen_at).label("seen"),
            func.sum(MigrationTable.version).label("versions"),
            *(part.scalar_subquery().label(f"part_{at}") for at, part in enumerate(others)),
        )
        (row,) = await self._reader.rows(query, long=True)
        return "/".join(str(value) for value in row.values())


def _is_down() -> ColumnElement[bool]:
    dark = or_(MigrationTable.dark_from.is_not(None), MigrationTable.dark_by_us.is_(True))
    return and_(MigrationTable.ended_at.is_(None), dark)
