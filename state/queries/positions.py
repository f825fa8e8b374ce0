"""Number migrations, each with all that is known of its number."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, func, or_, select, text

from state.declaring import aliased
from state.enums import Party, Status
from state.errors import NotFound, NotMigrated
from state.models import EventTable, MigrationTable, NumberTable, WaveTable
from state.naming import possible_names
from state.queries.position_rows import position_of, select_positions
from state.queries.reader import Reader
from state.rows import Position


@dataclass(frozen=True, slots=True)
class WaveProgress:
    """`running`: how many numbers are moved now, by the step that they are at."""

    total: int
    ended: int
    running: Mapping[str, int]


class PositionQueries:
    def __init__(self, reader: Reader, is_gone: Callable[[str], bool], *, older_copy: bool) -> None:
        self._reader = reader
        self._is_gone = is_gone
        self._older_copy = older_copy

    def _position(self, row: Mapping[str, Any]) -> Position:
        position = position_of(row, self._is_gone)
        return replace(position, sides_read=False) if self._older_copy else position

    async def get(self, migration_id: int) -> Position:
        """Raises NotFound."""
        rows = await self._reader.rows(_by_id(), {"migration_id": migration_id})
        if not rows:
            raise NotFound(f"there is no number migration {migration_id}")
        return self._position(rows[0])

    async def find(self, typed: str) -> Position:
        """The newest migration of a number that is named by reference, E.164 or phone number id.

        Raises NotFound, or NotMigrated for a number that has no migration.
        """
        for name in possible_names(typed):
            newest = select_positions().where(_is_named(name)).order_by(MigrationTable.id.desc()).limit(1)
            rows = await self._reader.rows(newest)
            if rows:
                return self._position(rows[0])
        raise await self._not_found(typed)

    async def _not_found(self, typed: str) -> NotFound:
        """A number without a migration may still be known: it has a disposition, or was only imported."""
        query = select(NumberTable.ref, NumberTable.disposition).where(
            or_(*(_is_named(name) for name in possible_names(typed)))
        )
        rows = await self._reader.rows(query)
        if not rows:
            return NotFound("there is no such number; `cutover status` lists the references")
        ref, disposition = rows[0]["ref"], rows[0]["disposition"]
        if disposition is None:
            return NotMigrated(f"{ref} has no migration yet; `cutover preflight` chooses its way")
        return NotMigrated(f"{ref} was not moved by cutover: {disposition.replace('_', ' ')}")

    async def history(self, number_id: int) -> tuple[Position, ...]:
        """All migrations of a number, oldest first."""
        query = select_positions().where(NumberTable.id == number_id).order_by(MigrationTable.id)
        return tuple(self._position(row) for row in await self._reader.rows(query))

    async def paused(self) -> tuple[Position, ...]:
        """Every migration, ended ones too, whose senders were told to pause and have not confirmed that they go on."""
        query = select_positions().where(MigrationTable.paused_at.is_not(None)).order_by(MigrationTable.id)
        return tuple(self._position(row) for row in await self._reader.rows(query))

    async def needing_attention(self, limit: int = 5_000) -> tuple[Position, ...]:
        """Live migrations of which a person may have to know: dark, blocked, held, waiting for a person or for nobody.

        What may be dark comes first.
        """
        migration, now = MigrationTable, self._reader.clock.now()
        dark = or_(migration.dark_by_us.is_(True), migration.crossed_at.is_not(None))
        for_people = migration.status.in_([Status.BLOCKED, Status.HELD]) | migration.waiting_on.in_(
            [Party.CUSTOMER, Party.OPERATOR]
        )
        left = and_(migration.lease_holder.is_not(None), migration.lease_until < now)
        signup = and_(migration.signup_ends_at.is_not(None), migration.crossed_at.is_(None))
        query = (
            select_positions()
            .where(migration.ended_at.is_(None), or_(dark, for_people, left, signup))
            .order_by(migration.dark_by_us.desc(), migration.id)
            .limit(limit)
        )
        return tuple(self._position(row) for row in await self._reader.rows(query, long=True))

    async def left_by_workers(self, lately: timedelta) -> tuple[Position, ...]:
        """Migrations whose worker was found to have exited within that time, whatever has become of them since."""
        event = EventTable
        # The literal is what the partial index is for; a parameter would read all events.
        lost = select(event.migration_pk).where(
            text("events.kind = 'left_by_worker'"), event.at > self._reader.clock.now(-lately)
        )
        query = select_positions().where(MigrationTable.id.in_(lost)).order_by(MigrationTable.id)
        return tuple(self._position(row) for row in await self._reader.rows(query))

    async def progress(self, *, wave: str | None = None, only: Collection[int] | None = None) -> WaveProgress:
        """How far the numbers of `board` are, counted by the database. `only`: of these migrations."""
        ended = MigrationTable.ended_at.is_not(None).label("ended")
        step = case((MigrationTable.status == Status.RUNNING, MigrationTable.next_step)).label("step")
        query = select(ended, step, func.count().label("numbers")).where(is_newest())
        if wave is not None:
            query = query.where(_in_wave(wave))
        if only is not None:
            query = query.where(MigrationTable.id.in_(only))
        rows = await self._reader.rows(query.group_by(ended, step))
        running = {row["step"]: row["numbers"] for row in rows if row["step"] is not None}
        total = sum(row["numbers"] for row in rows)
        return WaveProgress(total, sum(row["numbers"] for row in rows if row["ended"]), running)

    async def board(self, *, wave: str | None = None) -> tuple[Position, ...]:
        """The newest migration of every number, by reference; only those of a wave where one is named."""
        query = select_positions().where(is_newest()).order_by(NumberTable.id)
        if wave is not None:
            query = query.where(_in_wave(wave))
        return tuple(self._position(row) for row in await self._reader.rows(query))


def _in_wave(name: str) -> ColumnElement[bool]:
    return MigrationTable.wave_pk == select(WaveTable.id).where(WaveTable.name == name).scalar_subquery()


def is_newest() -> ColumnElement[bool]:
    """Of its number. Asked row by row, so that a wave of a few numbers does not search the whole fleet."""
    later = aliased(MigrationTable, "later")
    another = select(later.id).where(later.number_pk == MigrationTable.number_pk, later.id > MigrationTable.id)
    return ~another.correlate(MigrationTable).exists()


@cache
def _by_id() -> Select[*tuple[Any, ...]]:
    """Made once, because every step asks it."""
    return select_positions().where(MigrationTable.id == bindparam("migration_id"))


def _is_named(name: str) -> ColumnElement[bool]:
    return or_(NumberTable.ref == name, NumberTable.e164 == name, NumberTable.phone_number_id == name)
