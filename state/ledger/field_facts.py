"""Field facts: what somebody measured at Meta on real numbers, with date and evidence."""

from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger import recorded_rows
from state.ledger.inserting import replace_row
from state.ledger.versions import raise_versions
from state.models import FieldFactTable
from state.types import SqlClock


class FieldFacts:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(self, name: str, value: str, evidence: str, by: str) -> None:
        """Write a measurement in place of the last one of that name."""
        async with self._engine.begin() as tx:
            row = {
                "name": name,
                "value": value,
                "measured_at": self._clock.now(),
                "measured_by": by,
                "evidence": evidence,
                "refuted_at": None,
                "refuted_by": None,
            }
            await replace_row(tx, FieldFactTable, ("name",), row)
            await recorded_rows.note_fact(tx, self._clock, recorded_rows.FACT_STATED, name)
            await raise_versions(tx)
