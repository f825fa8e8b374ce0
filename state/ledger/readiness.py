"""Somebody is at the phone of a number: said now, or booked in advance. Codes are asked for only of such numbers.

It belongs to the number and not to its migration: a recovery that begins meanwhile finds the same person there.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.code_steps import REQUEST_STEPS
from state.enums import Codes, Party, Status
from state.errors import Conflict
from state.ledger import events
from state.ledger.guard import change_live_migration, due_now
from state.models import CodeTable, MigrationTable, NumberTable, WaveTable
from state.types import SqlClock

# The steps before which a number waits for somebody to be at its phone.
WAITS_FOR_PERSON_BEFORE = (
    "pause_sends",
    "deregister_onprem",
    "deregister_cloud",
    *REQUEST_STEPS,
)
NOBODY = "nobody is at the phone"


@dataclass(frozen=True, slots=True)
class AtThePhone:
    """`how`: run, ask_code, desk, room or prefect_form. `by`: the person. `method`, `language`: of the next code."""

    how: str
    by: str
    lasts: timedelta
    method: str | None = None
    language: str | None = None


def somebody_ready(clock: SqlClock, ahead: timedelta = timedelta()) -> ColumnElement[bool]:
    """Of the migration in `MigrationTable`: its wave has somebody at every phone, or somebody is at this one.

    `ahead`: how long from now the person still has to be there.
    """
    at_once = select(WaveTable.id).where(WaveTable.id == MigrationTable.wave_pk, WaveTable.codes == Codes.AT_ONCE)
    number = NumberTable
    in_slot = and_(number.slot_from <= clock.now(), number.slot_until >= clock.now(ahead))
    attended = select(number.id).where(
        number.id == MigrationTable.number_pk, or_(number.ready_until >= clock.now(ahead), in_slot)
    )
    return or_(at_once.correlate(MigrationTable).exists(), attended.correlate(MigrationTable).exists())


async def is_attended(tx: AsyncConnection, clock: SqlClock, migration_id: int, ahead: timedelta) -> bool:
    query = select(MigrationTable.id).where(MigrationTable.id == migration_id, somebody_ready(clock, ahead))
    return (await tx.execute(query)).first() is not None


class Readiness:
    """Raises NotFound or Conflict for a migration that has ended; then nothing was changed."""

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def say(self, migration_id: int, at_phone: AtThePhone) -> datetime:
        """Somebody is there from now on. Returns until when. A number that waits for it is due at once."""
        async with self._engine.begin() as tx:
            now = await self._raise_version(tx, migration_id)
            until = now + at_phone.lasts
            values: dict[str, Any] = {"ready_until": until, "ready_how": at_phone.how, "ready_by": at_phone.by[:100]}
            values |= {"next_code_method": at_phone.method} if at_phone.method else {}
            values |= {"next_code_language": at_phone.language} if at_phone.language else {}
            await tx.execute(update(NumberTable).where(_is_of(migration_id)).values(**values))
            facts = {"how": at_phone.how, "by": at_phone.by, "until": until}
            await events.append(tx, migration_id, now, "at_the_phone", facts)
            await self._let_go_on(tx, migration_id)
        return until

    async def withdraw(self, migration_id: int, because: str, by: str) -> None:
        """Nobody is there any more. A code that was asked for stays good."""
        async with self._engine.begin() as tx:
            now = await self._raise_version(tx, migration_id)
            values = {"ready_until": None, "ready_how": None, "ready_by": None}
            await tx.execute(update(NumberTable).where(_is_of(migration_id)).values(**values))
            await events.append(tx, migration_id, now, "left_the_phone", {"by": by, "reason": because})

    async def book(self, migration_id: int, start: datetime, end: datetime, by: str) -> None:
        """Somebody will be there from `start` to `end`, both aware; it replaces the slot that was booked before."""
        async with self._engine.begin() as tx:
            now = await self._raise_version(tx, migration_id)
            if end <= now:
                raise Conflict("the slot is over already; nothing was changed")
            slot = {"slot_from": start, "slot_until": end, "slot_by": by[:100]}
            await tx.execute(update(NumberTable).where(_is_of(migration_id)).values(**slot))
            await events.append(tx, migration_id, now, "slot_booked", {"by": by, "from": start, "until": end})
            await self._let_go_on(tx, migration_id)  # its wait ends when the slot begins, no longer at another time

    async def cancel_slot(self, migration_id: int, by: str) -> None:
        async with self._engine.begin() as tx:
            now = await self._raise_version(tx, migration_id)
            none = {"slot_from": None, "slot_until": None, "slot_by": None}
            await tx.execute(update(NumberTable).where(_is_of(migration_id)).values(**none))
            await events.append(tx, migration_id, now, "slot_cancelled", {"by": by})

    async def code_did_not_come(self, migration_id: int, method: str, why: str, by: str) -> None:
        """The last code that was asked for is lost: none waits for it any more, and `method` asks for the next."""
        async with self._engine.begin() as tx:
            now = await self._raise_version(tx, migration_id)
            await tx.execute(update(NumberTable).where(_is_of(migration_id)).values(next_code_method=method))
            await events.append(tx, migration_id, now, "code_lost", {"by": by, "reason": why, "next_method": method})

    async def drop_tags(self, older_than: timedelta) -> None:
        """Forget what could show that a code was typed twice, once no code of that time is good any more."""
        old = (CodeTable.tag.is_not(None), CodeTable.entered_at < self._clock.now(-older_than))
        async with self._engine.begin() as tx:
            await tx.execute(update(CodeTable).where(*old).values(tag=None))

    async def _raise_version(self, tx: AsyncConnection, migration_id: int) -> datetime:
        return await change_live_migration(
            tx, self._clock, migration_id, {}, while_attempt_open=True, while_leased=True
        )

    async def _let_go_on(self, tx: AsyncConnection, migration_id: int) -> None:
        """Only a wait for a person: one that cools down before another code goes on as long as it has to."""
        waits = (MigrationTable.status == Status.WAITING, MigrationTable.waiting_on == Party.CUSTOMER)
        held = and_(MigrationTable.status == Status.HELD, MigrationTable.reason.like(f"%{NOBODY}%"))
        before = MigrationTable.next_step.in_(WAITS_FOR_PERSON_BEFORE)
        due = update(MigrationTable).where(MigrationTable.id == migration_id, before, or_(and_(*waits), held))
        await tx.execute(due.values(**due_now()))


def _is_of(migration_id: int) -> ColumnElement[bool]:
    number = select(MigrationTable.number_pk).where(MigrationTable.id == migration_id).scalar_subquery()
    return NumberTable.id == number
