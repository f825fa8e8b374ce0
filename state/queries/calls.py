"""What is left of Graph's limits where they hold numbers back; reads, and takes no calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, case, func, select

from state.enums import Status
from state.ledger.call_budgets import EVERY_WABA
from state.ledger.call_window import CROSSES, RESERVE, CallWindow
from state.ledger.wave_members import LOW_VOLUME_FIRST
from state.models import CallBudgetTable, CredentialProfileTable, MigrationTable, NumberTable, WabaTable, WaveTable
from state.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class CallLimit:
    """One app and WABA whose limit holds numbers back. `waiting`: their itineraries, in the order of their turns.

    `spare`: calls that no number keeps and that are not in the reserve. `closed_until`: Graph takes none before.
    `crossing`: numbers of the WABA for which calls are kept now.
    """

    app_id: str
    waba_id: str
    window: CallWindow
    waiting: tuple[str, ...]
    kept: int
    crossing: int
    closed_until: datetime | None

    @property
    def spare(self) -> int:
        return max(self.window.left - self.kept - RESERVE, 0)

    def free_for(self, calls: int) -> datetime:
        """When so many calls are to spare, if nobody makes one before."""
        free = self.window.free_at(calls + self.kept + RESERVE)
        return free if self.closed_until is None else max(free, self.closed_until)


class CallQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def holding_back(self) -> tuple[CallLimit, ...]:
        """The limits for which numbers wait; empty where none does."""
        waiting: dict[tuple[str, str], list[str]] = {}
        for row in await self._reader.rows(_waiting()):
            waiting.setdefault((row["app_id"], row["waba_id"]), []).append(row["itinerary"])
        if not waiting:
            return ()
        now = self._reader.clock.now()
        budgets = select(*CallBudgetTable.__table__.columns, now.label("now"))
        rows = {(row["app_id"], row["waba_id"]): row for row in await self._reader.rows(budgets)}
        kept = {row["waba_id"]: row for row in await self._reader.rows(self._kept())}
        return tuple(
            _limit(rows[key], rows.get((key[0], EVERY_WABA)), kept.get(key[1]), tuple(names))
            for key, names in waiting.items()
            if key in rows
        )

    def _kept(self) -> Any:
        crosses = and_(MigrationTable.calls_kept_until > self._reader.clock.now(), MigrationTable.status.in_(CROSSES))
        return (
            select(
                WabaTable.waba_id,
                func.coalesce(func.sum(case((crosses, MigrationTable.calls_kept), else_=0)), 0).label("calls"),
                func.coalesce(func.sum(case((crosses, 1), else_=0)), 0).label("numbers"),
            )
            .join(NumberTable, NumberTable.waba_pk == WabaTable.id)
            .join(MigrationTable, MigrationTable.number_pk == NumberTable.id)
            .group_by(WabaTable.waba_id)
        )


def _waiting() -> Any:
    return (
        select(CredentialProfileTable.app_id, WabaTable.waba_id, MigrationTable.itinerary)
        .select_from(MigrationTable)
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
        .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
        .where(MigrationTable.status == Status.WAITING, MigrationTable.waits_for_calls.is_(True))
        .order_by(*LOW_VOLUME_FIRST)
    )


def _limit(
    row: Mapping[str, Any], app: Mapping[str, Any] | None, kept: Mapping[str, Any] | None, waiting: tuple[str, ...]
) -> CallLimit:
    """`app`: the budget of the app itself; what closes it closes all of its WABAs."""
    window = CallWindow(row["now"], row["active"], row["minutes"], row["used_by_others"], row["seen_at"])
    closed = [one["closed_until"] for one in (row, app) if one is not None and one["closed_until"] is not None]
    until = max((at for at in closed if at > row["now"]), default=None)
    calls, numbers = (int(kept["calls"]), int(kept["numbers"])) if kept is not None else (0, 0)
    return CallLimit(row["app_id"], row["waba_id"], window, waiting, calls, numbers, until)
