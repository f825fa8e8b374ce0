"""Waves, and those of them that their halt rule must stop."""

from sqlalchemy import func, select

from state.enums import WaveState
from state.errors import NotFound
from state.ledger import halt_rule
from state.models import MigrationTable, WaveTable
from state.queries.reader import Reader
from state.rows import WaveRow


class WaveQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def all(self) -> tuple[WaveRow, ...]:
        """Every wave, oldest first."""
        numbers = (
            select(func.count()).where(MigrationTable.wave_pk == WaveTable.id).correlate(WaveTable).scalar_subquery()
        )
        rows = await self._reader.rows(select(WaveTable.__table__, numbers.label("numbers")).order_by(WaveTable.id))
        return tuple(
            WaveRow(**{name: row[name] for name in WaveRow.__slots__} | {"state": WaveState(row["state"])})
            for row in rows
        )

    async def get(self, name: str) -> WaveRow:
        """Raises NotFound."""
        for wave in await self.all():
            if wave.name == name:
                return wave
        raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")

    async def to_halt(self) -> tuple[tuple[str, str], ...]:
        """Running waves whose halt rule is broken: name, and why in words."""
        query = select(
            WaveTable.name,
            WaveTable.halt_count,
            WaveTable.halt_share,
            halt_rule.failed_count().label("failed"),
            halt_rule.ended_count().label("ended"),
            halt_rule.failed_outside().label("outside"),
        ).where(WaveTable.state == WaveState.RUNNING, ~halt_rule.within_rule())
        rule = ("halt_count", "halt_share", "failed", "ended", "outside")
        return tuple(
            (row["name"], halt_rule.halt_reason(*(row[name] for name in rule)))
            for row in await self._reader.rows(query)
        )
