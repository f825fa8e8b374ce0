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
    mark: str | None  # of the epoch
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
                literal("").label("mark"),
            ).where(table.events > 0)
            for prefix, table in (("w", WaveTable), ("m", MigrationTable))
        ]
        of_home = (HomeTable.events, HomeTable.events_head, HomeTable.home_id, HomeTable.epoch, HomeTable.epoch_mark)
        home = select(literal("home"), *of_home)
        chains: dict[str, tuple[int, str]] = {}
        home_id, epoch, mark = "", 0, None
        for row in await self._reader.rows(select(union_all(home, *parts).subquery())):
            name, events, head, its_home, its_epoch, its_mark = row.values()
            chains[name] = (int(events), head)
            if name == "home":
                home_id, epoch, mark = str(its_home), int(its_epoch), its_mark
        return Heads(home_id, epoch, mark, chains)
