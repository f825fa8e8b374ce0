"""Field facts: what somebody measured at Meta on real numbers, with date and evidence."""

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from state.models import FieldFactTable
from state.types import SqlClock


class FieldFacts:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, name: str, value: str, evidence: str, by: str) -> None:
        """Write a measurement in place of the last one of that name."""
        async with self._engine.begin() as tx:
            await tx.execute(delete(FieldFactTable).where(FieldFactTable.name == name))
            await tx.execute(
                insert(FieldFactTable).values(
                    name=name, value=value, measured_at=self._clock.now(), measured_by=by, evidence=evidence
                )
            )
