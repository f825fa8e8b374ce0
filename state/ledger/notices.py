"""Causes that people have to know of, and the messages about them: each message is durable before it is sent."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.errors import Conflict, NotFound
from state.ledger.inserting import insert_or_nothing
from state.models import CauseTable, NoticeTable
from state.notices import CauseRow, FoundCause, NoticeKind, NoticeRow
from state.types import SqlClock

# Whoever tries to send a message has so long; after it another process may try.
SENDING = timedelta(seconds=60)


class Notices:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def sync(self, found: Sequence[FoundCause], open_now: Sequence[CauseRow]) -> bool:
        """Open what is new, write what has changed, end what is over. Returns whether anything was written."""
        wanted = {cause.key: cause for cause in found}
        known = {row.key: row for row in open_now}
        new = [cause for key, cause in wanted.items() if key not in known]
        changed = [(known[key], cause) for key, cause in wanted.items() if key in known and _differs(known[key], cause)]
        over = [row for row in open_now if row.key not in wanted]
        if not (new or changed or over):
            return False
        async with self._engine.begin() as tx:
            for cause in new:
                await self._open(tx, cause)
            for row, cause in changed:
                values = {"title": cause.title, "lines": list(cause.lines)}
                await tx.execute(update(CauseTable).where(_is_open(row.id)).values(**values))
            for row in over:
                await tx.execute(update(CauseTable).where(_is_open(row.id)).values(resolved_at=self._clock.now()))
        return True

    async def _open(self, tx: AsyncConnection, cause: FoundCause) -> None:
        values = {"key": cause.key, "kind": cause.kind, "title": cause.title, "lines": list(cause.lines)}
        await tx.execute(insert_or_nothing(tx, CauseTable, values | {"opened_at": self._clock.now()}))

    async def make(
        self, cause: CauseRow, target: str, place: int, kind: NoticeKind, *, waits: bool = False
    ) -> NoticeRow | None:
        """Write a message down and take it for sending. None where another process has made it.

        `waits`: the target has not taken the one before it; nobody sends it until then.
        """
        values = {
            "cause_pk": cause.id,
            "target": target,
            "place": place,
            "kind": kind,
            "title": cause.title,
            "lines": list(cause.lines),
            "made_at": self._clock.now(),
            "try_at": self._clock.now() if waits else self._clock.now(SENDING),
        }
        is_it = and_(NoticeTable.cause_pk == cause.id, NoticeTable.target == target, NoticeTable.place == place)
        async with self._engine.begin() as tx:
            made = await tx.execute(insert_or_nothing(tx, NoticeTable, values))
            if made.rowcount == 0:
                return None
            row = (await tx.execute(select(NoticeTable.__table__).where(is_it))).mappings().one()
        return notice_of(cast("Mapping[str, Any]", row))

    async def take(self, notice: NoticeRow) -> bool:
        """Take an unsent message for another try; False where another process has taken it."""
        async with self._engine.begin() as tx:
            taken = await tx.execute(
                update(NoticeTable)
                .where(
                    NoticeTable.id == notice.id,
                    NoticeTable.sent_at.is_(None),
                    NoticeTable.tries == notice.tries,
                    NoticeTable.try_at <= self._clock.now(),
                )
                .values(try_at=self._clock.now(SENDING))
            )
        return taken.rowcount > 0

    async def sent(self, notice: NoticeRow) -> None:
        """The target has taken it. What else waits for that target for longer than a minute is tried now."""
        values = {"sent_at": self._clock.now(), "tries": NoticeTable.tries + 1, "error": None}
        waits = and_(
            NoticeTable.target == notice.target,
            NoticeTable.sent_at.is_(None),
            NoticeTable.try_at > self._clock.now(SENDING),  # not what a process is sending: that has a minute at most
        )
        async with self._engine.begin() as tx:
            await tx.execute(update(NoticeTable).where(NoticeTable.id == notice.id).values(**values))
            await tx.execute(update(NoticeTable).where(waits).values(try_at=self._clock.now()))

    async def failed(self, notice_id: int, error: str, again_in: timedelta) -> None:
        values = {"try_at": self._clock.now(again_in), "tries": NoticeTable.tries + 1, "error": error}
        async with self._engine.begin() as tx:
            await tx.execute(update(NoticeTable).where(NoticeTable.id == notice_id).values(**values))

    async def drop(self, notice_id: int) -> None:
        """A target that does not exist any more takes no message."""
        values = {"sent_at": self._clock.now(), "error": "the admin file does not name this target any more"}
        async with self._engine.begin() as tx:
            await tx.execute(update(NoticeTable).where(NoticeTable.id == notice_id).values(**values))

    async def acknowledge(self, cause_id: int, by: str) -> None:
        """A person has taken it over: no reminder and no escalation until it is over. Raises NotFound, Conflict."""
        async with self._engine.begin() as tx:
            done = await tx.execute(
                update(CauseTable)
                .where(_is_open(cause_id), CauseTable.acknowledged_at.is_(None))
                .values(acknowledged_at=self._clock.now(), acknowledged_by=by)
            )
            if done.rowcount:
                return
            row = (await tx.execute(select(CauseTable.__table__).where(CauseTable.id == cause_id))).one_or_none()
        if row is None:
            raise NotFound(f"there is no cause {cause_id}; `cutover notify` lists them")
        raise Conflict(
            f"cause {cause_id} is over"
            if row.resolved_at is not None
            else f"cause {cause_id} was taken over by {row.acknowledged_by} at {row.acknowledged_at:%Y-%m-%d %H:%M} UTC"
        )


def _is_open(cause_id: int) -> ColumnElement[bool]:
    return and_(CauseTable.id == cause_id, CauseTable.resolved_at.is_(None))


def _differs(row: CauseRow, cause: FoundCause) -> bool:
    return (row.title, list(row.lines)) != (cause.title, list(cause.lines))


def notice_of(row: Mapping[str, Any]) -> NoticeRow:
    values = {name: row["cause_pk" if name == "cause_id" else name] for name in NoticeRow.__slots__}
    return NoticeRow(**values | {"kind": NoticeKind(row["kind"])})
