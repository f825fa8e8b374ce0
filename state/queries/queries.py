"""All groups of queries on one database."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from state.queries.calls import CallQueries
from state.queries.due import DueQueries
from state.queries.fleet import FleetQueries
from state.queries.gate import GateQueries
from state.queries.heads import HeadQueries
from state.queries.notices import NoticeQueries
from state.queries.positions import PositionQueries
from state.queries.reader import Reader
from state.queries.records import RecordQueries
from state.queries.secrets import SecretQueries
from state.queries.waves import WaveQueries
from state.types import SqlClock


class Queries:
    def __init__(
        self, engine: AsyncEngine, clock: SqlClock, is_gone: Callable[[str], bool] = lambda _holder: False
    ) -> None:
        """`is_gone`: whether the worker of that name is known to have exited."""
        reader = Reader(engine, clock)
        self.positions = PositionQueries(reader, is_gone)
        self.records = RecordQueries(reader)
        self.gate = GateQueries(reader)
        self.fleet = FleetQueries(reader)
        self.due = DueQueries(reader)
        self.calls = CallQueries(reader)
        self.waves = WaveQueries(reader)
        self.secrets = SecretQueries(reader)
        self.notices = NoticeQueries(reader)
        self.heads = HeadQueries(reader)
        self._reader = reader

    async def now(self) -> datetime:
        """The time by the database's clock."""
        return await self._reader.now()
