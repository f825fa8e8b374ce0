"""Waves, and those of them that their halt rule must stop."""

import asyncio

from sqlalchemy import and_, case, func, or_, select

from state.enums import Codes, WaveState
from state.errors import NotFound
from state.ledger import halt_rule
from state.ledger.wave_members import LOW_VOLUME_FIRST, named_and_not_crossed
from state.models import MigrationTable, NumberTable, WaveEventTable, WaveTable
from state.queries.reader import Reader
from state.rows import WaveEventRow, WaveRow

CHOSEN = ("canary", "named", "named_left")  # of a WaveRow: the numbers that people have chosen of a wave


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
        rows, chosen = await asyncio.gather(self._reader.rows(query, long=True), self._chosen())
        return tuple(
            WaveRow(
                **{name: row[name] for name in WaveRow.__slots__ if name not in CHOSEN}
                | {"state": WaveState(row["state"]), "codes": Codes(row["codes"])}
                | {name: tuple(refs) for name, refs in chosen.get(row["id"], {}).items()}
            )
            for row in rows
        )

    async def _chosen(self) -> dict[int, dict[str, list[str]]]:
        """Of each wave that has any, the references of its canary and of what a release named, low volume first."""
        migration = MigrationTable
        named = migration.released_by_name
        left = named_and_not_crossed()
        query = (
            select(migration.wave_pk, NumberTable.ref, migration.canary, named.label("named"), left.label("named_left"))
            .join(NumberTable, NumberTable.id == migration.number_pk)
            .where(or_(migration.canary.is_(True), named.is_(True)), migration.wave_pk.is_not(None))
            .order_by(*LOW_VOLUME_FIRST)
        )
        chosen: dict[int, dict[str, list[str]]] = {}
        for row in await self._reader.rows(query, long=True):
            of_wave = chosen.setdefault(row["wave_pk"], {name: [] for name in CHOSEN})
            for name in CHOSEN:
                if row[name]:
                    of_wave[name].append(row["ref"])
        return chosen

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
