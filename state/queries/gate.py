"""Whether a number may cross now: gate conditions, and what is left of its calls in 72 h."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from state.ledger import gates
from state.ledger.counted_calls import BUDGET_WINDOW
from state.models import BudgetCallTable
from state.queries.reader import Reader


class GateQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def why_closed(self, migration_id: int, fits_in: timedelta) -> str | None:
        """The condition that keeps this number from crossing now, in words, or None.

        `fits_in`: how long the rest of its cutover may take; the wave's window must leave that much time.
        """
        async with self._reader.engine.connect() as connection:
            return await gates.why_closed(connection, migration_id, self._reader.clock, fits_in)

    async def budget_spent(self, phone_number_id: str, call: str) -> tuple[int, datetime | None]:
        """How many calls ("register" or "deregister") count in the last 72 h, and when the oldest stops counting."""
        query = select(func.count(), func.min(BudgetCallTable.at)).where(
            BudgetCallTable.phone_number_id == phone_number_id,
            BudgetCallTable.call == call,
            BudgetCallTable.at > self._reader.clock.now(-BUDGET_WINDOW),
        )
        async with self._reader.engine.connect() as connection:
            count, oldest = (await connection.execute(query)).one()
        return count, None if count == 0 else oldest + BUDGET_WINDOW
