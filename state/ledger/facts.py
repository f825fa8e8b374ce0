"""Field facts: what somebody measured at Meta, dated, with the evidence. The newest measurement counts."""

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from state.models import FieldFact
from state.types import SqlClock


class Facts:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def state(self, name: str, value: str, evidence: str, by: str) -> None:
        """Take a measurement in the place of an earlier one of that name."""
        async with self._engine.begin() as tx:
            await tx.execute(delete(FieldFact).where(FieldFact.name == name))
            await tx.execute(
                insert(FieldFact).values(
                    name=name, value=value, measured_at=self._clock.now(), measured_by=by, evidence=evidence
                )
            )
