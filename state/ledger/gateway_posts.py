"""Posts of SMS gateways that were taken: a copy of one is refused, also after `cutover serve` was started again."""

import hashlib
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.ledger.inserting import write_or_nothing
from state.models import GatewayPostTable
from state.types import SqlClock

# A post of Twilio carries no time. After so long no code waits that could be taken for a new one.
KEPT = timedelta(days=30)
IN_HAND = timedelta(seconds=30)  # a process that was killed with a post in hand keeps nobody from sending it again


class GatewayPosts:
    """`key`: what names a post of the gateway; its SHA-256 is kept."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, gateway: str, key: str) -> bool:
        """Take this post in hand. False where it was stored before, or another request has it in hand now."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            row = {"gateway": gateway, "key": _digest(key), "taken_at": now, "stored": False}
            if (await write_or_nothing(tx, GatewayPostTable, row, returning=GatewayPostTable.key)).first() is not None:
                return True
            left = (GatewayPostTable.stored.is_(False), GatewayPostTable.taken_at < self._clock.now(-IN_HAND))
            again = update(GatewayPostTable).where(*_is(gateway, key), *left).values(taken_at=now)
            return (await tx.execute(again.returning(GatewayPostTable.key))).first() is not None

    async def end(self, gateway: str, key: str, *, stored: bool) -> None:
        """What was not stored may be sent again."""
        change = update(GatewayPostTable).values(stored=True) if stored else delete(GatewayPostTable)
        async with self._engine.begin() as tx:
            await tx.execute(change.where(*_is(gateway, key)))

    async def drop_old(self) -> None:
        old = delete(GatewayPostTable).where(GatewayPostTable.taken_at < self._clock.now(-KEPT))
        async with self._engine.begin() as tx:
            await tx.execute(old)


def _is(gateway: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return GatewayPostTable.gateway == gateway, GatewayPostTable.key == _digest(key)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
