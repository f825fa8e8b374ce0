"""A person asks for a new proof of a number: how it is proved from now on, and another message.

A message is on record before it is sent (`intended`), and taken by one process before the call (`unknown`). Nobody
sends it after that: what became of a call without an answer is for webhooks to say.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import SmokeMode
from state.errors import Conflict
from state.ledger import events
from state.ledger.proofs import count_again, update_smoke
from state.ledger.versions import locked
from state.ledger.webhooks import keep_answer
from state.models import MessageTable, MigrationTable, NumberTable
from state.proof import ACCOUNT_ERRORS, NUMBER_ERRORS
from state.types import SqlClock

ASKED, TAKEN, REFUSED, WITHDRAWN = "proof_asked", "unknown", "proof_refused", "proof_withdrawn"
UNDER_WAY = ("intended", "unknown", "accepted", "sent")  # states in which the next message would be a second one
SETTLES_WITHIN = timedelta(minutes=2)  # then Meta has said what became of a message, or will not
SENT_WITHIN = timedelta(minutes=15)  # one that nobody has sent by then is not sent: nobody waits for it any more


@dataclass(frozen=True, slots=True)
class NewProof:
    """`mode`: None keeps it. `correlation`: of the message to send; None sends none.

    `after`: the newest message that the person had seen, 0 for none; None where they did not say.
    """

    mode: SmokeMode | None
    correlation: str | None
    by: str
    because: str | None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class AskedMessage:
    """A message that is on record and not sent."""

    id: int
    migration_pk: int
    correlation: str
    is_late: bool


class ProofRequests:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def ask(self, migration_id: int, new: NewProof) -> None:
        """Raises Conflict where a message of it is under way, or another was sent since; then nothing was changed."""
        async with self._engine.begin() as tx:
            now = await locked(tx, self._clock, migration_id)
            if new.correlation is not None:
                await _check_none_under_way(tx, migration_id, now, new.after)
                row = {"migration_pk": migration_id, "correlation": new.correlation, "state": "intended", "at": now}
                await tx.execute(MessageTable.__table__.insert().values(row))
                await update_smoke(tx, migration_id)
            if new.mode is not None:
                number = select(MigrationTable.number_pk).where(MigrationTable.id == migration_id).scalar_subquery()
                await tx.execute(update(NumberTable).where(NumberTable.id == number).values(smoke=new.mode))
            facts = {
                "by": new.by,
                "because": new.because,
                "mode": new.mode.value if new.mode is not None else None,
                "correlation": new.correlation,
            }
            await events.append(tx, migration_id, now, ASKED, {name: fact for name, fact in facts.items() if fact})

    async def unsent(self, limit: int = 20) -> tuple[AskedMessage, ...]:
        """Messages that were asked for and that nobody has taken, oldest first."""
        message = MessageTable
        query = (
            select(
                message.id,
                message.migration_pk,
                message.correlation,
                (message.at < self._clock.now(-SENT_WITHIN)).label("is_late"),
            )
            .where(message.state == "intended")
            .order_by(message.id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return tuple(AskedMessage(*row) for row in (await connection.execute(query)).all())

    async def take(self, asked: AskedMessage) -> bool:
        """Only the process that gets True sends it."""
        return await self._settle(asked, {"state": TAKEN}, only_from="intended")

    async def accepted(self, asked: AskedMessage, wamid: str) -> None:
        """`wamid`: as `message_key` makes it. What webhooks said under that id before counts from now on."""
        async with self._engine.begin() as tx:
            await locked(tx, self._clock, asked.migration_pk)
            taken = update(MessageTable).where(MessageTable.id == asked.id, MessageTable.wamid.is_(None))
            other = select(MessageTable.id).where(MessageTable.wamid == wamid)
            if (await tx.execute(other)).first() is None:
                await tx.execute(taken.values(wamid=wamid))
                await count_again(tx, asked.migration_pk, wamid)
            await _raise_state(tx, asked, "accepted")

    async def refused(self, asked: AskedMessage, code: int | None, why: str) -> None:
        """Meta did not take it; the message counts as failed with that code."""
        values = {"state": "failed", "error": code or 0, "failed_at": self._clock.now()}
        await self._settle(asked, values, only_from=TAKEN, event=REFUSED, why=why)

    async def withdraw(self, asked: AskedMessage, why: str, *, taken: bool) -> None:
        """It was never sent. The row goes, so that the number is shown as it was; the record keeps both."""
        async with self._engine.begin() as tx:
            now = await locked(tx, self._clock, asked.migration_pk)
            state = TAKEN if taken else "intended"
            table = MessageTable.__table__
            gone = table.delete().where(table.c.id == asked.id, table.c.state == state)
            if (await tx.execute(gone)).rowcount:
                await update_smoke(tx, asked.migration_pk)
                facts = {"correlation": asked.correlation, "reason": why}
                await events.append(tx, asked.migration_pk, now, WITHDRAWN, facts)

    async def _settle(
        self, asked: AskedMessage, values: dict[str, object], *, only_from: str, event: str | None = None, why: str = ""
    ) -> bool:
        async with self._engine.begin() as tx:
            now = await locked(tx, self._clock, asked.migration_pk)
            mine = update(MessageTable).where(MessageTable.id == asked.id, MessageTable.state == only_from)
            if not (await tx.execute(mine.values(**values))).rowcount:
                return False
            await update_smoke(tx, asked.migration_pk)
            code = values.get("error")
            if isinstance(code, int) and code in {**ACCOUNT_ERRORS, **NUMBER_ERRORS}:
                number = select(MigrationTable.number_pk).where(MigrationTable.id == asked.migration_pk)
                of = (await tx.execute(number)).scalar_one()
                await keep_answer(tx, of, "error", {"code": code}, now, asked.correlation)
            if event is not None:
                await events.append(
                    tx, asked.migration_pk, now, event, {"correlation": asked.correlation, "reason": why}
                )
        return True


async def _raise_state(tx: AsyncConnection, asked: AskedMessage, state: str) -> None:
    """A webhook may have come before the answer, and says more than it."""
    mine = update(MessageTable).where(MessageTable.id == asked.id, MessageTable.state == TAKEN)
    await tx.execute(mine.values(state=state))
    await update_smoke(tx, asked.migration_pk)


async def _check_none_under_way(tx: AsyncConnection, migration_id: int, now: datetime, after: int | None) -> None:
    message = MessageTable
    query = select(message.id, message.state, message.at).where(message.migration_pk == migration_id)
    newest = (await tx.execute(query.order_by(message.id.desc()).limit(1))).first()
    if after is not None and after != (newest.id if newest is not None else 0):
        raise Conflict("another message was asked for since; nothing was sent for this")
    if newest is not None and newest.state in UNDER_WAY and newest.at > now - SETTLES_WITHIN:
        again = f"{newest.at + SETTLES_WITHIN:%H:%M:%S}"
        raise Conflict(
            f"its message of {newest.at:%H:%M:%S} UTC is under way; another can be asked for at {again} UTC; "
            "nothing was changed"
        )
