"""How far each chain of the record has come: what an anchor says, in one reading."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import String, cast, literal, select, union_all

from state.models import HomeTable, MigrationTable, WaveTable
from state.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class Heads:
    """`chains`: `home`, `w` and a wave's id, `m` and a migration's id; each with its count and its last hash."""

    home_id: str
    epoch: int
    chains: Mapping[str, tuple[int, str]]


class HeadQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def read(self) -> Heads:
        """All heads as they were at one moment."""
        parts = [
            select(
                literal(prefix).concat(cast(table.id, String)).label("name"),
                table.events.label("events"),
                table.events_head.label("head"),
                literal("").label("home_id"),
                literal(0).label("epoch"),
            ).where(table.events > 0)
            for prefix, table in (("w", WaveTable), ("m", MigrationTable))
        ]
        home = select(literal("home"), HomeTable.events, HomeTable.events_head, HomeTable.home_id, HomeTable.epoch)
        chains: dict[str, tuple[int, str]] = {}
        home_id, epoch = "", 0
        for row in await self._reader.rows(select(union_all(home, *parts).subquery())):
            name, events, head, of_home, of_epoch = row.values()
            chains[name] = (int(events), head)
            if name == "home":
                home_id, epoch = str(of_home), int(of_epoch)
        return Heads(home_id, epoch, chains)
