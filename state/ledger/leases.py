"""Who may act on a number, until when. By the database's clock, without a heartbeat."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Party, Status
from state.errors import Conflict, LeaseLost, NotFound, NoTurn, TooEarly
from state.ledger import concurrency_limit as turns
from state.models import MigrationTable, NumberTable, WaveTable
from state.rows import Lease
from state.types import SqlClock


class Leases:
    """Taking a lease raises the fence: whatever an earlier holder still writes finds its fence gone."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def acquire(self, migration_id: int, holder: str, last: timedelta, *, free: Collection[str] = ()) -> Lease:
        """Take the number for `last`; on an itinerary that is `free`, whatever else its wave does.

        Raises LeaseLost while another holds it, NoTurn while its wave moves as many numbers as it may,
        TooEarly before a wait of it is over, Conflict when it ended or is blocked, NotFound.
        """
        async with self._engine.begin() as tx:
            taken = self._taken(migration_id, holder, last)
            row = (await tx.execute(taken.where(turns.has_one(self._clock, free)))).one_or_none()
            if row is None:
                row = await self._in_turn(tx, taken, migration_id)
        if row is None:
            raise await self._why_not(migration_id, holder)
        return Lease(migration_id, holder, row.fence, row.now, row.lease_until)

    async def end_those_of(self, holder: str) -> int:
        """Every lease of a holder that is gone ends now. Returns how many; what they had begun stays as it is.

        Only for a holder that runs no more: a living one would go on and find its fence gone, after its call.
        """
        ended = (
            update(MigrationTable)
            .where(MigrationTable.lease_holder == holder, MigrationTable.lease_until > self._clock.now())
            .values(lease_until=self._clock.now())
        )
        async with self._engine.begin() as tx:
            return (await tx.execute(ended)).rowcount

    async def _in_turn(self, tx: AsyncConnection, taken: Any, migration_id: int) -> Any:
        """Two that begin at once would both count one too few: the wave's row puts one after the other."""
        mine = select(MigrationTable.wave_pk).where(MigrationTable.id == migration_id).scalar_subquery()
        await tx.execute(select(WaveTable.id).where(WaveTable.id == mine).with_for_update())
        return (await tx.execute(taken.where(turns.there_is_one(self._clock)))).one_or_none()

    def _taken(self, migration_id: int, holder: str, last: timedelta) -> Any:
        changed: Update = (
            update(MigrationTable)
            .where(
                MigrationTable.id == migration_id,
                MigrationTable.ended_at.is_(None),
                MigrationTable.status != Status.BLOCKED,
                or_(MigrationTable.status != Status.WAITING, MigrationTable.waiting_until <= self._clock.now()),
                self._unleased(holder),
            )
            .values(
                lease_holder=holder,
                lease_until=self._clock.now(last),
                moving_until=self._clock.now(last),
                failure_known=False,
                fence=MigrationTable.fence + 1,
                status=Status.RUNNING,
            )
        )
        return changed.returning(MigrationTable.fence, MigrationTable.lease_until, self._clock.now().label("now"))

    def _unleased(self, holder: str) -> ColumnElement[bool]:
        """Nobody has the number, or whoever asks has it."""
        return or_(
            MigrationTable.lease_until.is_(None),
            MigrationTable.lease_until <= self._clock.now(),
            MigrationTable.lease_holder == holder,
        )

    async def _why_not(self, migration_id: int, holder: str) -> Exception:
        asked = (
            select(
                NumberTable.ref,
                MigrationTable.status,
                MigrationTable.ended_at,
                MigrationTable.lease_holder,
                MigrationTable.waiting_until,
                MigrationTable.waiting_on,
                MigrationTable.reason,
                self._clock.now().label("now"),
                WaveTable.name.label("wave"),
                WaveTable.concurrency,
                self._unleased(holder).label("unleased"),
            )
            .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
            .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
            .where(MigrationTable.id == migration_id)
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(asked)).one_or_none()
        if row is None:
            return NotFound(f"there is no number migration {migration_id}")
        if row.ended_at is not None or row.status == Status.BLOCKED:
            return Conflict(f"{row.ref} is {row.status}")
        if row.status == Status.WAITING and row.unleased and row.waiting_until > row.now:
            return TooEarly(row.waiting_until, Party(row.waiting_on or Party.US), row.reason or "", row.now)
        if row.wave is not None and row.unleased:
            return NoTurn(f"{row.ref} waits for its turn: wave {row.wave} moves {row.concurrency} at once")
        return LeaseLost(f"{row.ref} is held by another worker ({row.lease_holder})")
