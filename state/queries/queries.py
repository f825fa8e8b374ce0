"""All groups of queries on one database. Each is loaded when it is first asked: `status` needs a few of them."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from state.queries.reader import Reader
from state.types import SqlClock

if TYPE_CHECKING:
    from state.queries.calls import CallQueries
    from state.queries.desk import DeskQueries
    from state.queries.down import DownQueries
    from state.queries.due import DueQueries
    from state.queries.figures import FigureQueries
    from state.queries.fleet import FleetQueries
    from state.queries.gate import GateQueries
    from state.queries.heads import HeadQueries
    from state.queries.listing import ListingQueries
    from state.queries.notices import NoticeQueries
    from state.queries.pace import PaceQueries
    from state.queries.people import PeopleQueries
    from state.queries.positions import PositionQueries
    from state.queries.proofs import ProofQueries
    from state.queries.records import RecordQueries
    from state.queries.routes import RouteQueries
    from state.queries.secrets import SecretQueries
    from state.queries.waves import WaveQueries

# ruff: noqa: PLC0415


class Queries:
    def __init__(
        self,
        engine: AsyncEngine,
        clock: SqlClock,
        is_gone: Callable[[str], bool] = lambda _holder: False,
        *,
        older_copy: bool = False,
    ) -> None:
        """`is_gone`: whether the worker of that name is known to have exited.

        `older_copy`: the database is an older copy of the home's own, and nothing has been read since it was put there.
        """
        self._reader = Reader(engine, clock)
        self._is_gone = is_gone
        self._older_copy = older_copy

    async def now(self) -> datetime:
        """The time by the database's clock."""
        return await self._reader.now()

    @cached_property
    def calls(self) -> "CallQueries":
        from state.queries.calls import CallQueries

        return CallQueries(self._reader)

    @cached_property
    def desk(self) -> "DeskQueries":
        from state.queries.desk import DeskQueries

        return DeskQueries(self._reader, self._is_gone)

    @cached_property
    def down(self) -> "DownQueries":
        from state.queries.down import DownQueries

        return DownQueries(self._reader, self._is_gone)

    @cached_property
    def due(self) -> "DueQueries":
        from state.queries.due import DueQueries

        return DueQueries(self._reader)

    @cached_property
    def figures(self) -> "FigureQueries":
        from state.queries.figures import FigureQueries

        return FigureQueries(self._reader)

    @cached_property
    def fleet(self) -> "FleetQueries":
        from state.queries.fleet import FleetQueries

        return FleetQueries(self._reader)

    @cached_property
    def gate(self) -> "GateQueries":
        from state.queries.gate import GateQueries

        return GateQueries(self._reader)

    @cached_property
    def heads(self) -> "HeadQueries":
        from state.queries.heads import HeadQueries

        return HeadQueries(self._reader)

    @cached_property
    def listing(self) -> "ListingQueries":
        from state.queries.listing import ListingQueries

        return ListingQueries(self._reader, self._is_gone, older_copy=self._older_copy)

    @cached_property
    def notices(self) -> "NoticeQueries":
        from state.queries.notices import NoticeQueries

        return NoticeQueries(self._reader)

    @cached_property
    def pace(self) -> "PaceQueries":
        from state.queries.pace import PaceQueries

        return PaceQueries(self._reader)

    @cached_property
    def people(self) -> "PeopleQueries":
        from state.queries.people import PeopleQueries

        return PeopleQueries(self._reader)

    @cached_property
    def positions(self) -> "PositionQueries":
        from state.queries.positions import PositionQueries

        return PositionQueries(self._reader, self._is_gone, older_copy=self._older_copy)

    @cached_property
    def proofs(self) -> "ProofQueries":
        from state.queries.proofs import ProofQueries

        return ProofQueries(self._reader)

    @cached_property
    def records(self) -> "RecordQueries":
        from state.queries.records import RecordQueries

        return RecordQueries(self._reader)

    @cached_property
    def routes(self) -> "RouteQueries":
        from state.queries.routes import RouteQueries

        return RouteQueries(self._reader)

    @cached_property
    def secrets(self) -> "SecretQueries":
        from state.queries.secrets import SecretQueries

        return SecretQueries(self._reader)

    @cached_property
    def waves(self) -> "WaveQueries":
        from state.queries.waves import WaveQueries

        return WaveQueries(self._reader)
