"""Waves, and those of them that their halt rule must stop."""

from sqlalchemy import and_, case, func, select

from state.enums import Codes, WaveState
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
        migration = MigrationTable
        left = and_(migration.crossed_at.is_(None), migration.ended_at.is_(None))
        held = and_(migration.hold.is_(True), left)
        of_wave = (
            select(
                migration.wave_pk,
                func.count().label("numbers"),
                func.sum(case((left, 1), else_=0)).label("left"),
                func.sum(case((held, 1), else_=0)).label("on_hold"),
                func.max(migration.ended_at).label("last_end"),
            )
            .where(migration.wave_pk.is_not(None))
            .group_by(migration.wave_pk)
            .subquery()
        )
        counts = (
            func.coalesce(of_wave.c.numbers, 0).label("numbers"),
            func.coalesce(of_wave.c.left, 0).label("left"),
            func.coalesce(of_wave.c.on_hold, 0).label("on_hold"),
            of_wave.c.last_end,
        )
        query = (
            select(WaveTable.__table__, *counts)
            .outerjoin(of_wave, of_wave.c.wave_pk == WaveTable.id)
            .order_by(WaveTable.id)
        )
        rows = await self._reader.rows(query)
        canaries = await self._canaries()
        return tuple(
            WaveRow(
                **{name: row[name] for name in WaveRow.__slots__ if name != "canary"}
                | {
                    "state": WaveState(row["state"]),
                    "codes": Codes(row["codes"]),
                    "canary": tuple(canaries.get(row["id"], ())),
                }
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

    async def all_events(self) -> dict[str, tuple[WaveEventRow, ...]]:
        """The same of every wave that has any, by its name."""
        columns = [getattr(WaveEventTable, name) for name in WaveEventRow.__slots__ if name != "by"]
        query = (
            select(WaveTable.name, *columns, WaveEventTable.decided_by.label("by"))
            .join(WaveTable, WaveTable.id == WaveEventTable.wave_pk)
            .order_by(WaveEventTable.id)
        )
        events: dict[str, list[WaveEventRow]] = {}
        for row in await self._reader.rows(query):
            event = WaveEventRow(**{name: row[name] for name in WaveEventRow.__slots__})
            events.setdefault(row["name"], []).append(event)
        return {name: tuple(rows) for name, rows in events.items()}

    async def get(self, name: str) -> WaveRow:
        """Raises NotFound."""
        for wave in await self.all():
            if wave.name == name:
                return wave
        raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")

    async def to_halt(self) -> tuple[tuple[str, str], ...]:
        """Running waves whose halt rule is broken: name, and why in words."""
        columns = halt_rule.reason_columns()
        running = (WaveTable.state == WaveState.RUNNING, ~halt_rule.within_rule())
        rows = await self._reader.rows(select(WaveTable.name, *columns).where(*running))
        return tuple((row["name"], halt_rule.halt_reason(*(row[column.name] for column in columns))) for row in rows)
