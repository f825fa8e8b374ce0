"""What people have to know of, and what they were told."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select

from state.declaring import aliased
from state.ledger.notices import notice_of
from state.models import CauseTable, NoticeTable
from state.notices import CauseRow, NoticeRow
from state.queries.reader import Reader


class NoticeQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def open_causes(self) -> tuple[CauseRow, ...]:
        """Oldest first."""
        query = select(CauseTable.__table__).where(CauseTable.resolved_at.is_(None)).order_by(CauseTable.id)
        return tuple(_cause(row) for row in await self._reader.rows(query))

    async def causes_to_end(self) -> tuple[CauseRow, ...]:
        """Causes that are over, whose end some target that was told of them was not told."""
        notices = NoticeTable.__table__
        told = select(notices.c.cause_pk, notices.c.target).group_by(notices.c.cause_pk, notices.c.target)
        ended = (
            select(notices.c.cause_pk, notices.c.target)
            .where(notices.c.kind == "resolved")
            .group_by(notices.c.cause_pk, notices.c.target)
        )
        left = told.except_(ended).subquery()
        query = (
            select(CauseTable.__table__)
            .where(CauseTable.resolved_at.is_not(None), CauseTable.id.in_(select(left.c.cause_pk)))
            .order_by(CauseTable.id)
        )
        return tuple(_cause(row) for row in await self._reader.rows(query))

    async def last_notices(self, cause_ids: Sequence[int]) -> tuple[NoticeRow, ...]:
        """The last message to each target about each of these causes."""
        if not cause_ids:
            return ()
        last = (
            select(func.max(NoticeTable.id).label("id"))
            .where(NoticeTable.cause_pk.in_(cause_ids))
            .group_by(NoticeTable.cause_pk, NoticeTable.target)
        )
        query = select(NoticeTable.__table__).where(NoticeTable.id.in_(last)).order_by(NoticeTable.id)
        return tuple(notice_of(row) for row in await self._reader.rows(query))

    async def to_try(self, limit: int = 50) -> tuple[NoticeRow, ...]:
        """Messages that no target has taken, and that may be tried now: of one cause the first one that it has not.

        In any other order a person would hear that it is over, and minutes later that it has begun.
        """
        before = aliased(NoticeTable, "before")
        earlier = select(before.id).where(
            before.cause_pk == NoticeTable.cause_pk,
            before.target == NoticeTable.target,
            before.place < NoticeTable.place,
            before.sent_at.is_(None),
        )
        due = NoticeTable.try_at <= self._reader.clock.now()
        query = (
            select(NoticeTable.__table__)
            .where(NoticeTable.sent_at.is_(None), due, ~earlier.correlate(NoticeTable).exists())
            .order_by(NoticeTable.id)
            .limit(limit)
        )
        return tuple(notice_of(row) for row in await self._reader.rows(query))

    async def kinds(self, cause_ids: Sequence[int]) -> dict[int, str]:
        """Of these causes, whether they are over or not."""
        if not cause_ids:
            return {}
        query = select(CauseTable.id, CauseTable.kind).where(CauseTable.id.in_(cause_ids))
        return {row["id"]: row["kind"] for row in await self._reader.rows(query)}

    async def unsent(self) -> tuple[NoticeRow, ...]:
        query = select(NoticeTable.__table__).where(NoticeTable.sent_at.is_(None)).order_by(NoticeTable.id)
        return tuple(notice_of(row) for row in await self._reader.rows(query))


def _cause(row: Mapping[str, Any]) -> CauseRow:
    return CauseRow(**{name: row[name] for name in CauseRow.__slots__})
