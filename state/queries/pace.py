"""How fast a wave gets on, from what ended lately."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select

from state.models import MigrationTable
from state.queries.reader import Reader

LATELY = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Pace:
    """`ended`: numbers that came to their end since `since`, in the last half hour."""

    ended: int
    since: datetime | None
    now: datetime

    def left_s(self, numbers: int) -> float | None:
        """Seconds until so many more have ended at this pace; None where too few have."""
        if self.ended < 2 or self.since is None or not numbers:
            return None
        return numbers * max((self.now - self.since).total_seconds(), 1.0) / self.ended


class PaceQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def of_wave(self, wave_id: int) -> Pace:
        ended_at = MigrationTable.ended_at
        query = select(func.count().label("ended"), func.min(ended_at).label("since")).where(
            MigrationTable.wave_pk == wave_id, ended_at > self._reader.clock.now(-LATELY)
        )
        (row,) = await self._reader.rows(query)
        return Pace(row["ended"], row["since"], await self._reader.now())
