"""A new PIN of a number on Cloud: kept beside the one in force before it is set, and in its place once it was."""

from sqlalchemy import ColumnElement, and_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.enums import PinProvenance
from state.ledger import events
from state.ledger.sealed import replace_secret
from state.ledger.shredding import shredded
from state.ledger.versions import locked
from state.models import NumberTable, SecretTable
from state.rows import SealedSecret
from state.types import SqlClock

NEXT = "next_pin"
ROTATED = "pin_rotated"


class Pins:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def stage(self, migration_id: int, owner: str, sealed: SealedSecret) -> None:
        """Keep the PIN that is about to be set. Whatever becomes of the call, it is known."""
        async with self._engine.begin() as tx:
            now = await locked(tx, self._clock, migration_id)
            await replace_secret(tx, owner, sealed, now, proved=True)

    async def drop(self, owner: str) -> None:
        """It was refused, so the one before it is in force."""
        async with self._engine.begin() as tx:
            await tx.execute(shredded(_staged(owner), at=self._clock.now()))

    async def confirm(self, migration_id: int, number_id: int, sealed: SealedSecret, by: str, because: str) -> None:
        """Meta has taken it: it is the PIN in force, and every earlier one is destroyed."""
        owner = f"number:{number_id}"
        async with self._engine.begin() as tx:
            now = await locked(tx, self._clock, migration_id)
            await replace_secret(tx, owner, sealed, now, proved=True)
            await tx.execute(shredded(_staged(owner), at=now))
            values = {"pin_provenance": PinProvenance.SET_ON_CLOUD, "pin_since": now}
            await tx.execute(update(NumberTable).where(NumberTable.id == number_id).values(**values))
            await events.append(tx, migration_id, now, ROTATED, {"by": by, "reason": because})


def _staged(owner: str) -> ColumnElement[bool]:
    return and_(SecretTable.owner == owner, SecretTable.name == NEXT)
