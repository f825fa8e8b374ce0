"""Which worker may act on a number, and until when: by the database's clock, without a heartbeat."""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Update, bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.database import for_reading
from state.enums import Party, Status
from state.errors import ConcurrencyLimitReached, Conflict, LeaseLost, NotFound, TooEarly
from state.ledger import concurrency_limit, events
from state.ledger.guard import held_by
from state.models import MigrationTable, NumberTable, WaveTable
from state.prepared import Prepared
from state.rows import Lease
from state.types import SqlClock

LEFT_BY_WORKER = "left_by_worker"  # the kind of the event; an index finds them
# Made once: every number needs them.
_GIVE_BACK = (
    update(MigrationTable)
    .where(
        MigrationTable.id == bindparam("w_id"),
        MigrationTable.fence == bindparam("w_fence"),
        MigrationTable.status == Status.RUNNING,
    )
    .values(lease_holder=None, lease_until=None, moving_until=None, status=Status.READY)
)
_WAVE_OF = select(MigrationTable.wave_pk).where(MigrationTable.id == bindparam("w_id")).scalar_subquery()
# With each event PostgreSQL looks whether the row of its wave is there: the trigger that counts events updates a row
# for the second time in its transaction. A plain FOR UPDATE would let every step of the wave wait for this.
LOCK_WAVE = select(WaveTable.id).where(WaveTable.id == _WAVE_OF).with_for_update(key_share=True)


class Leases:
    """Taking a lease raises the fence of the migration, so that every later write of an earlier holder is refused."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock
        self._prepared = Prepared()
        self._nobody_asks = asyncio.Event()  # no number of this process asks for a slot of its wave
        self._nobody_asks.set()

    async def acquire(
        self, migration_id: int, holder: str, duration: timedelta, *, exempt: Collection[str] = ()
    ) -> Lease:
        """Take the number for `duration`. The limit of its wave does not count on the itineraries in `exempt`.

        Raises LeaseLost while another worker holds the number, ConcurrencyLimitReached while its wave moves as many
        numbers as it may, TooEarly before the end of its wait, Conflict when it ended or is blocked, NotFound.
        """
        row = await self._claimed(duration, exempt, {"w_id": migration_id, "w_holder": holder})
        if row is None:
            raise await self._refusal(migration_id, holder)
        return Lease(migration_id, holder, row.fence, row.now, row.lease_until, row.version)

    async def _claimed(self, duration: timedelta, exempt: Collection[str], who: Mapping[str, Any]) -> Any:
        with ExitStack() as until_committed:
            async with self._engine.begin() as tx:
                row = (await tx.execute(self._claim(duration, exempt), who)).one_or_none()
                if row is not None:
                    return row
                if self._nobody_asks.is_set():
                    until_committed.enter_context(self._asking())
                    return await self._claim_with_slot(tx, duration, who)
        # Twenty that wait for the wave's row would keep every connection of this process, and what is dark needs one.
        while not self._nobody_asks.is_set():
            await self._nobody_asks.wait()
        with self._asking():
            async with self._engine.begin() as tx:
                return await self._claim_with_slot(tx, duration, who)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """One number of this process at a time asks for a slot of its wave."""
        self._nobody_asks.clear()
        try:
            yield
        finally:
            self._nobody_asks.set()

    async def give_back(self, lease: Lease) -> None:
        """Give the number up as if it had not been taken. Nothing is changed where somebody else has taken it since."""
        async with self._engine.begin() as tx:
            await tx.execute(_GIVE_BACK, {"w_id": lease.migration_id, "w_fence": lease.fence})

    async def end_all_of(self, holder: str) -> int:
        """End every lease of a worker that no longer runs. Returns how many; open attempts stay open.

        Never call it for a worker that is alive: it would make its call and then find that its fence is gone.
        """
        async with self._engine.begin() as tx:
            return (await tx.execute(self._end_leases_of(holder))).rowcount

    async def end_of_dead(self, holder: str) -> int:
        """The same for a worker that is known to have exited, with an event for each number that it left."""
        async with self._engine.begin() as tx:
            returned = (MigrationTable.id, MigrationTable.next_step, self._clock.now().label("now"))
            left = (await tx.execute(self._end_leases_of(holder).returning(*returned))).all()
            for row in left:
                await events.append(tx, row.id, row.now, LEFT_BY_WORKER, {"step": row.next_step})
        return len(left)

    def _end_leases_of(self, holder: str) -> Update:
        running = (MigrationTable.lease_holder == holder, MigrationTable.lease_until > self._clock.now())
        return update(MigrationTable).where(*running).values(lease_until=self._clock.now())

    async def _claim_with_slot(self, tx: AsyncConnection, duration: timedelta, who: Mapping[str, Any]) -> Any:
        """Lock the wave's row, then count: two workers that counted at once would both find the last free slot."""
        await tx.execute(LOCK_WAVE, {"w_id": who["w_id"]})
        return (await tx.execute(self._claim(duration, None), who)).one_or_none()

    def _claim(self, duration: timedelta, exempt: Collection[str] | None) -> Any:
        """The update that takes a number. `exempt` None: where its wave has a free slot; else where it needs none."""
        shape = (duration, None if exempt is None else frozenset(exempt))
        return self._prepared.get(shape, lambda: self._made(duration, exempt))

    def _made(self, duration: timedelta, exempt: Collection[str] | None) -> Any:
        if exempt is None:
            limit = concurrency_limit.has_free_slot(self._clock)
        else:
            limit = concurrency_limit.needs_no_slot(self._clock, exempt)
        holder: Any = bindparam("w_holder")
        claim: Update = (
            update(MigrationTable)
            .where(
                MigrationTable.id == bindparam("w_id"),
                MigrationTable.ended_at.is_(None),
                MigrationTable.status != Status.BLOCKED,
                or_(MigrationTable.status != Status.WAITING, MigrationTable.waiting_until <= self._clock.now()),
                self._is_free_for(holder),
                limit,
            )
            .values(
                lease_holder=holder,
                lease_until=self._clock.now(duration),
                moving_until=self._clock.now(duration),
                failure_known=False,
                fence=MigrationTable.fence + 1,
                status=Status.RUNNING,
            )
        )
        return claim.returning(
            MigrationTable.fence,
            MigrationTable.version,
            MigrationTable.lease_until,
            self._clock.now().label("now"),
        )

    def _is_free_for(self, holder: Any) -> ColumnElement[bool]:
        """No worker holds the number, or `holder` itself does."""
        return or_(
            MigrationTable.lease_until.is_(None),
            MigrationTable.lease_until <= self._clock.now(),
            MigrationTable.lease_holder == holder,
        )

    async def _refusal(self, migration_id: int, holder: str) -> Exception:
        """Why the number could not be taken."""
        query = (
            select(
                NumberTable.ref,
                MigrationTable.status,
                MigrationTable.ended_at,
                MigrationTable.lease_holder,
                MigrationTable.lease_until,
                MigrationTable.waiting_until,
                MigrationTable.waiting_on,
                MigrationTable.reason,
                self._clock.now().label("now"),
                WaveTable.name.label("wave"),
                WaveTable.concurrency,
                self._is_free_for(holder).label("is_free"),
            )
            .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
            .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
            .where(MigrationTable.id == migration_id)
        )
        async with for_reading(self._engine).connect() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return NotFound(f"there is no number migration {migration_id}")
        if row.ended_at is not None or row.status == Status.BLOCKED:
            return Conflict(f"{row.ref} is {row.status}")
        if row.status == Status.WAITING and row.is_free and row.waiting_until > row.now:
            return TooEarly(row.waiting_until, Party(row.waiting_on or Party.US), row.reason or "", row.now)
        if row.wave is not None and row.is_free:
            return ConcurrencyLimitReached(
                f"{row.ref} waits for its turn: wave {row.wave} moves {row.concurrency} at once"
            )
        return LeaseLost(held_by(row.ref, row.lease_holder, row.lease_until))
