"""Field facts: what somebody measured at Meta, dated, with the evidence. And what a preflight saw of a number."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.ext.asyncio import AsyncEngine

from state.models import FieldFactTable, FindingTable
from state.types import SqlClock


class Facts:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def state(self, name: str, value: str, evidence: str, by: str) -> None:
        """Take a measurement in the place of an earlier one of that name."""
        async with self._engine.begin() as tx:
            await tx.execute(delete(FieldFactTable).where(FieldFactTable.name == name))
            await tx.execute(
                insert(FieldFactTable).values(
                    name=name, value=value, measured_at=self._clock.now(), measured_by=by, evidence=evidence
                )
            )

    async def looked(self, migration_id: int, by: str, seen: Mapping[str, Any]) -> None:
        """Keep what was seen of a number outside its steps; the newest look counts."""
        async with self._engine.begin() as tx:
            mine = (FindingTable.migration_pk == migration_id, FindingTable.step == by, FindingTable.kind == "note")
            await tx.execute(delete(FindingTable).where(*mine))
            await tx.execute(
                insert(FindingTable).values(
                    migration_pk=migration_id, step=by, kind="note", at=self._clock.now(), facts=dict(seen)
                )
            )
