"""Waves, and those of them that their halt rule must stop."""

from sqlalchemy import func, select

from state.enums import WaveState
from state.errors import NotFound
from state.ledger import halt_rule
from state.ledger.wave_members import LOW_VOLUME_FIRST
from state.models import MigrationTable, NumberTable, WaveEventTable, WaveTable
from state.queries.reader import Reader
from state.rows import WaveEventRow, WaveRow


class WaveQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def all(self) -> tuple[WaveRow, ...]:
        """Every wave, oldest first."""
        numbers = (
            select(func.count()).where(MigrationTable.wave_pk == WaveTable.id).correlate(WaveTable).scalar_subquery()
        )
        held = (
            select(func.count())
            .where(
                MigrationTable.wave_pk == WaveTable.id,
                MigrationTable.hold.is_(True),
                MigrationTable.crossed_at.is_(None),
                MigrationTable.ended_at.is_(None),
            )
            .correlate(WaveTable)
            .scalar_subquery()
        )
        last_end = (
            select(func.max(MigrationTable.ended_at))
            .where(MigrationTable.wave_pk == WaveTable.id)
            .correlate(WaveTable)
            .scalar_subquery()
        )
        counts = (numbers.label("numbers"), held.label("on_hold"), last_end.label("last_end"))
        query = select(WaveTable.__table__, *counts).order_by(WaveTable.id)
        rows = await self._reader.rows(query)
        canaries = await self._canaries()
        return tuple(
            WaveRow(
                **{name: row[name] for name in WaveRow.__slots__ if name != "canary"}
                | {"state": WaveState(row["state"]), "canary": tuple(canaries.get(row["id"], ()))}
            )
            for row in rows
        )

    async def _canaries(self) -> dict[int, list[str]]:
        """References of the numbers of each wave's canary, low volume first."""
        query = (
            select(MigrationTable.wave_pk, NumberTable.ref)
            .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
            .where(MigrationTable.canary.is_(True), MigrationTable.wave_pk.is_not(None))
            .order_by(*LOW_VOLUME_FIRST)
        )
        canaries: dict[int, list[str]] = {}
        for row in await self._reader.rows(query):
            canaries.setdefault(row["wave_pk"], []).append(row["ref"])
        return canaries

    async def events(self, name: str) -> tuple[WaveEventRow, ...]:
        """Who decided what about a wave, oldest first; empty for an unknown wave."""
        columns = [getattr(WaveEventTable, name) for name in WaveEventRow.__slots__ if name != "by"]
        query = (
            select(*columns, WaveEventTable.decided_by.label("by"))
            .join(WaveTable, WaveTable.id == WaveEventTable.wave_pk)
            .where(WaveTable.name == name)
            .order_by(WaveEventTable.id)
        )
        return tuple(WaveEventRow(**row) for row in await self._reader.rows(query))

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
