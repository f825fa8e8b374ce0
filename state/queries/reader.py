"""What every group of queries reads with: the database and the clock that its times are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import read
from state.prepared import Prepared
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class Reader:
    engine: AsyncEngine
    clock: SqlClock
    prepared: Prepared = field(default_factory=Prepared, compare=False)

    async def rows(
        self, query: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None, *, long: bool = False
    ) -> Sequence[Mapping[str, Any]]:
        """All rows of the query; `values` are those of its parameters. `long`: as of `state.database.read`."""
        rows: Sequence[Any] = await read(self.engine, query, values, lambda result: result.mappings().all(), long=long)
        return rows

    async def tuples(self, query: Select[*tuple[Any, ...]]) -> Sequence[Any]:
        """As `rows`, each a tuple in the order of the columns: for many rows."""
        rows: Sequence[Any] = await read(self.engine, query, None, lambda result: result.all())
        return rows

    async def now(self) -> datetime:
        """The time by the database's clock."""
        query = self.prepared.get("now", lambda: select(self.clock.now()))
        now: datetime = await read(self.engine, query, None, lambda result: result.scalar_one())
        return now
