"""Where each number is sent from, for the partner's routers: one light row a number, of its newest migration."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, or_, select

from state.declaring import aliased
from state.models import CustomerTable, FindingTable, MigrationTable, NumberTable, WabaTable
from state.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What decides a number's route and whether its senders wait. `traffic`: required or advisory."""

    e164: str
    phone_number_id: str
    waba_id: str
    customer: str
    hook: str | None
    traffic: str
    route: str | None  # the side that its senders were last told
    migration_id: int
    itinerary: str
    next_step: str | None
    status: str
    side: str
    paused_at: datetime | None
    pause_until: datetime | None
    crossed_at: datetime | None
    ended_at: datetime | None
    epoch: int
    waiting_on: str | None
    waiting_until: datetime | None
    smoke_error: int | None
    pause_found_at: datetime | None  # from when its pause counts, once that step is done


class RouteQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def all(self) -> Sequence[RouteFacts]:
        """In the order of their references."""
        migration, number, later = MigrationTable, NumberTable, aliased(MigrationTable, "later")
        newer = select(later.id).where(later.number_pk == number.id, later.id > migration.id)
        query = (
            select(
                number.e164,
                number.phone_number_id,
                WabaTable.waba_id,
                CustomerTable.name,
                CustomerTable.hook,
                CustomerTable.traffic,
                number.route,
                migration.id,
                migration.itinerary,
                migration.next_step,
                migration.status,
                migration.side,
                migration.paused_at,
                migration.pause_until,
                migration.crossed_at,
                migration.ended_at,
                migration.epoch,
                migration.waiting_on,
                migration.waiting_until,
                migration.smoke_error,
                FindingTable.at,
            )
            .select_from(number)
            .join(migration, migration.number_pk == number.id)
            .join(WabaTable, WabaTable.id == number.waba_pk)
            .join(CustomerTable, CustomerTable.id == WabaTable.customer_id)
            .outerjoin(
                FindingTable,
                and_(
                    FindingTable.migration_pk == migration.id,
                    FindingTable.step == "pause_sends",
                    FindingTable.kind == "result",
                ),
            )
            .where(or_(migration.ended_at.is_(None), ~newer.correlate(number, migration).exists()))
            .order_by(number.id)
        )
        return [RouteFacts(*row) for row in await self._reader.tuples(query)]
