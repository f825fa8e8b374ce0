"""That a secret was shown to a person: in the record of its number, or of the home."""

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger import events, home_events
from state.models import MigrationTable
from state.types import SqlClock

REVEALED = "secret_revealed"


class Revelations:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, what: str, name: str, by: str, because: str, migration_id: int | None) -> None:
        """`name`: of the profile; a number is named by its migration, whose live or last record it goes into."""
        facts = {"secret": what, "by": by, "reason": because}
        async with self._engine.begin() as tx:
            if migration_id is None:
                await home_events.append(tx, self._clock, REVEALED, facts | {"profile": name})
                return
            locked = (
                update(MigrationTable)  # locks the row, which keeps the events in one chain
                .where(MigrationTable.id == migration_id)
                .values(events=MigrationTable.events)
                .returning(self._clock.now().label("now"))
            )
            now = (await tx.execute(locked)).scalar_one()
            await events.append(tx, migration_id, now, REVEALED, facts)
