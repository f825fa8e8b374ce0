"""Reads of what webhooks have shown: what is not recorded yet, the evidence of one number, what people are told of."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, String, and_, cast, func, or_, select

from state.enums import Status
from state.ledger import restriction_ends
from state.ledger.waiting_webhooks import has_end, is_waiting
from state.ledger.webhooks import ANSWERS, ON_PREMISES
from state.models import MessageTable, MigrationTable, NumberTable, WabaTable, WaveTable, WebhookTable
from state.proof import Weight, without_ended
from state.queries.figures import is_newest
from state.queries.position_rows import position_of, select_positions
from state.queries.reader import Reader
from state.rows import Position

AGAINST = (Weight.TELL, Weight.DOUBT)
SHOWN = 20  # webhooks of one number; a busy one has thousands


class ProofQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def any_waiting(self) -> bool:
        """Whether a webhook has come in whose effects are not recorded."""
        query = select(WebhookTable.id).where(is_waiting()).limit(1)
        return bool(await self._reader.rows(query))

    async def any_restriction_over(self) -> bool:
        """Whether an account is still doubted for what has ended, or keeps a number that it was refused for."""
        rows, now = await self._reader.rows(select(WabaTable.reported).where(has_end())), await self._reader.now()
        if any(without_ended(row["reported"], now) != row["reported"] for row in rows):
            return True
        return bool(restriction_ends.are_due(await self._reader.tuples(restriction_ends.refused_numbers()), now))

    async def any_received(self, waba_id: str) -> bool:
        """Whether a webhook of this WABA has ever come in, of those that are still kept."""
        query = select(WebhookTable.id).where(WebhookTable.waba_id == waba_id, WebhookTable.field != ANSWERS).limit(1)
        return bool(await self._reader.rows(query))

    async def any_of_profile(self, profile: str) -> bool:
        """Whether a webhook for this credential profile has ever come in, of those that are still kept."""
        query = select(WebhookTable.id).where(WebhookTable.profile == profile, WebhookTable.field != ANSWERS).limit(1)
        return bool(await self._reader.rows(query))

    async def messages(self, migration_id: int) -> Sequence[Mapping[str, Any]]:
        """Smoke messages of a migration, oldest first."""
        query = (
            select(MessageTable.__table__).where(MessageTable.migration_pk == migration_id).order_by(MessageTable.id)
        )
        return await self._reader.rows(query)

    async def last_sent(self, number_id: int) -> datetime | None:
        """When the last status of a message on Cloud came that is no smoke message of ours."""
        ours = select(MessageTable.wamid).where(MessageTable.wamid.is_not(None))  # not each status has its correlation
        query = select(func.max(WebhookTable.received_at).label("at")).where(
            WebhookTable.number_pk == number_id,
            WebhookTable.kind == "status",
            WebhookTable.field != ON_PREMISES,
            WebhookTable.correlation.is_(None),
            or_(WebhookTable.message.is_(None), WebhookTable.message.not_in(ours)),
        )
        (row,) = await self._reader.rows(query)
        at: datetime | None = row["at"]
        return at

    async def webhooks(self, number_id: int, limit: int = SHOWN) -> Sequence[Mapping[str, Any]]:
        """The newest that concern this number or its WABA, newest first."""
        waba = select(WabaTable.waba_id).join(NumberTable, NumberTable.waba_pk == WabaTable.id)
        of_waba = and_(
            WebhookTable.number_pk.is_(None),
            WebhookTable.waba_id == waba.where(NumberTable.id == number_id).scalar_subquery(),
        )
        query = select(WebhookTable.__table__).where(or_(WebhookTable.number_pk == number_id, of_waba))
        return await self._reader.rows(query.order_by(WebhookTable.id.desc()).limit(limit))

    async def to_tell(self, limit: int = 2_000) -> tuple[Position, ...]:
        """Newest migrations of which Meta reports something, whose message failed, or that were to receive by now.

        The last is asked of those that have received nothing; `silent_since` decides.
        """
        migration = MigrationTable
        awaited = or_(WaveTable.smoke_hours.is_not(None), WaveTable.smoke == "passive", NumberTable.smoke == "passive")
        silent = and_(migration.status == Status.DONE, awaited, migration.receives_at.is_(None))
        reported = or_(*(_says_something(column) for column in (NumberTable.reported, WabaTable.reported)))
        failed = or_(migration.smoke_error.is_not(None), migration.foreign_waba.is_not(None))
        query = select_positions().where(is_newest(), or_(silent, reported, failed))
        rows = await self._reader.rows(query.order_by(migration.id).limit(limit), long=True)
        return tuple(position_of(row, lambda _holder: False) for row in rows)


def _says_something(reported: Any) -> ColumnElement[bool]:
    """Against somebody. Each account of which a message was delivered has reports that say that all is well."""
    text = cast(reported, String)
    return and_(reported.is_not(None), or_(*(text.like(f'%"weight": {weight.value}%') for weight in AGAINST)))
