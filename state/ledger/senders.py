"""What a number's senders are told outside of its steps: a renewal of their pause, and that they may go on.

Works at any time, also after the migration has ended. Each message has a key and an epoch of its own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Status
from state.errors import NotFound
from state.ledger import events, findings
from state.ledger.guard import due_now, not_leased
from state.ledger.versions import raise_versions
from state.models import MigrationTable, NumberTable, OutboxTable
from state.rows import Position
from state.types import SqlClock

NOT_PAUSED: Mapping[str, Any] = {
    "paused_at": None,
    "pause_until": None,
    "senders_try_at": None,
    "senders_tries": 0,
    "senders_error": None,
}


class Senders:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def claim(self, position: Position, body: Mapping[str, Any], key: str, next_try: timedelta) -> bool:
        """Write down the message that is about to be sent. False where the number has changed since it was read, or
        another worker tells its senders now.

        After a message that lets senders go on, a number that has not crossed has to pause them again before it may.
        """
        renews = body["event"] == "pause_sends"
        conditions: list[ColumnElement[bool]] = [
            MigrationTable.id == position.migration_id,
            MigrationTable.paused_at.is_not(None),
            MigrationTable.epoch == position.epoch,
            MigrationTable.next_step.is_not_distinct_from(position.next_step),
            or_(MigrationTable.senders_try_at.is_(None), MigrationTable.senders_try_at <= self._clock.now()),
        ]
        values: dict[str, Any] = {
            "epoch": MigrationTable.epoch + 1,
            "version": MigrationTable.version + 1,  # a worker that is at the number reads its new epoch
            "senders_try_at": self._clock.now(next_try),
            "senders_tries": MigrationTable.senders_tries + 1,
        }
        if renews:
            values["pause_until"] = datetime.fromisoformat(body["deadline"])
        else:
            conditions += [not_leased(self._clock), MigrationTable.status == position.status]
        async with self._engine.begin() as tx:
            claimed = update(MigrationTable).where(*conditions).values(**values)
            row = (await tx.execute(claimed.returning(self._clock.now().label("now")))).one_or_none()
            if row is None:
                return False
            message = {"event": body["event"], "epoch": body["epoch"], "body": dict(body), "made_at": row.now}
            await tx.execute(insert(OutboxTable).values(migration_pk=position.migration_id, key=key, **message))
            if not renews:
                await findings.forget(tx, position.migration_id, "pause_sends", "result")
        return True

    async def confirm(self, position: Position, body: Mapping[str, Any], key: str) -> None:
        """The senders have done what the message asks for.

        They may have been paused anew since it was sent. Then its answer, which may have been on its way for long, does
        not say that they go on: a number with such senders would cross with nobody who tells them to.
        """
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await tx.execute(update(OutboxTable).where(OutboxTable.key == key).values(answer="done", answered_at=now))
            this = MigrationTable.id == position.migration_id
            told = {"senders_try_at": None, "senders_tries": 0, "senders_error": None}
            if body["event"] != "resume_sends":
                # A worker may have let them go on while this was under way; then they have to be told so once more.
                paused = {"paused_at": func.coalesce(MigrationTable.paused_at, now)}
                again = paused if body["event"] == "pause_sends" else {}
                await tx.execute(update(MigrationTable).where(this).values(**told, **again))
            else:
                gap = (now - position.paused_at).total_seconds() if position.paused_at is not None else None
                go_on = {**NOT_PAUSED, "sender_gap_seconds": gap, "version": MigrationTable.version + 1}
                resumed = update(MigrationTable).where(this, ~_paused_since(position, body)).values(**go_on)
                if (await tx.execute(resumed)).rowcount == 0:
                    return
                await self._go_on(tx, this, body["event"])
                await events.append(tx, position.migration_id, now, "senders_resumed", {"to": body["to"]})
            if body["event"] == "switch_route":
                route = update(NumberTable).where(NumberTable.id == position.number_id)
                await tx.execute(route.values(route=body["to"]))
                await raise_versions(tx, this)
                await self._go_on(tx, this, body["event"])

    async def _go_on(self, tx: AsyncConnection, this: ColumnElement[bool], event: str) -> None:
        """A number that the hook's refusal of this message has stopped."""
        stopped = (MigrationTable.next_step == event, MigrationTable.status == Status.BLOCKED)
        await tx.execute(update(MigrationTable).where(this, *stopped).values(**due_now()))

    async def fail(self, position: Position, error: str) -> None:
        """The message was not confirmed; it is sent again at the time that `claim` has set."""
        async with self._engine.begin() as tx:
            this = MigrationTable.id == position.migration_id
            await tx.execute(update(MigrationTable).where(this).values(senders_error=error))

    async def state_resumed(self, number_id: int, because: str, by: str) -> None:
        """A named person states that the senders of the number go on. Raises NotFound where none is paused."""
        async with self._engine.begin() as tx:
            stated = (
                update(MigrationTable)
                .where(MigrationTable.number_pk == number_id, MigrationTable.paused_at.is_not(None))
                .values(**NOT_PAUSED, version=MigrationTable.version + 1)
                .returning(MigrationTable.id, self._clock.now().label("now"))
            )
            rows = (await tx.execute(stated)).all()
            if not rows:
                raise NotFound("its senders are not paused; nothing was changed")
            for row in rows:
                await findings.forget(tx, row.id, "pause_sends", "result")
                await events.append(tx, row.id, row.now, "senders_resumed_stated", {"reason": because, "by": by})


def _paused_since(position: Position, body: Mapping[str, Any]) -> ColumnElement[bool]:
    """A pause was announced for the number after this message."""
    later = (OutboxTable.event == "pause_sends", OutboxTable.epoch > body["epoch"])
    return select(OutboxTable.id).where(OutboxTable.migration_pk == position.migration_id, *later).exists()
