"""What was read of a number's service while no worker was at it."""

from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.enums import ENDED
from state.ledger import events
from state.ledger.guard import not_leased
from state.models import MigrationTable
from state.rows import Position
from state.service import Service, ended_outage, service_of_row
from state.types import SqlClock


class ServiceRecord:
    """`side` stays as it is: only a step that may move the number, or that resolves it, says where it is."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, position: Position, after: Service) -> bool:
        """Keep what was read. False, and nothing was written, where a worker has taken the number since it was loaded.

        An event is added where the number has stopped serving, or serves again.
        """
        before = service_of_row(position)
        async with self._engine.begin() as tx:
            kept = await tx.execute(
                update(MigrationTable)
                .where(
                    MigrationTable.id == position.migration_id,
                    MigrationTable.fence == position.fence,
                    MigrationTable.status.not_in(ENDED),
                    MigrationTable.seen_at.is_not_distinct_from(position.seen_at),
                    not_leased(self._clock),
                )
                .values(**after.columns())
                .returning(self._clock.now().label("now"))
            )
            row = kept.one_or_none()
            if row is None:
                return False
            facts: dict[str, Any] = {"step": position.next_step, **(ended_outage(before, after) or {})}
            if before.dark_from is None and after.dark_from is not None:
                facts["last_served_at"] = before.served_at
                await events.append(tx, position.migration_id, row.now, "stopped_serving", facts)
            elif before.dark_from is not None and after.dark_from is None:
                await events.append(tx, position.migration_id, row.now, "serves_again", facts)
        return True
