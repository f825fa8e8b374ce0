"""Who may act on a number, until when. By the database's clock, without a heartbeat."""

from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.errors import Conflict, LeaseLost, NotFound
from state.models import Number, NumberMigration
from state.rows import Lease
from state.sides import Status
from state.types import SqlClock


class Leases:
    """Taking a lease raises the fence: whatever an earlier holder still writes finds its fence gone."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def acquire(self, migration_id: int, holder: str, last: timedelta) -> Lease:
        """Take the number for `last`. Raises LeaseLost while another holds it, Conflict when it ended or is blocked."""
        now = self._clock.now()
        taken = (
            update(NumberMigration)
            .where(
                NumberMigration.id == migration_id,
                NumberMigration.ended_at.is_(None),
                NumberMigration.status != Status.BLOCKED,
                or_(
                    NumberMigration.lease_until.is_(None),
                    NumberMigration.lease_until <= now,
                    NumberMigration.lease_holder == holder,
                ),
            )
            .values(
                lease_holder=holder,
                lease_until=self._clock.now(last),
                fence=NumberMigration.fence + 1,
                status=Status.RUNNING,
            )
            .returning(NumberMigration.fence, NumberMigration.lease_until, now.label("now"))
        )
        async with self._engine.begin() as tx:
            row = (await tx.execute(taken)).one_or_none()
        if row is None:
            raise await self._why_not(migration_id)
        return Lease(migration_id, holder, row.fence, row.now, row.lease_until)

    async def _why_not(self, migration_id: int) -> Exception:
        asked = (
            select(Number.ref, NumberMigration.status, NumberMigration.ended_at, NumberMigration.lease_holder)
            .join(Number, Number.id == NumberMigration.number_pk)
            .where(NumberMigration.id == migration_id)
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(asked)).one_or_none()
        if row is None:
            return NotFound(f"there is no number migration {migration_id}")
        if row.ended_at is not None or row.status == Status.BLOCKED:
            return Conflict(f"{row.ref} is {row.status}")
        return LeaseLost(f"{row.ref} is held by another worker ({row.lease_holder})")
