"""What a person changes about a running migration: its itinerary, its next step, a wait, its hold, its reserve."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Status
from state.ledger import events, findings, gates
from state.ledger.guard import change_live_migration, due_now
from state.models import MigrationTable, NumberTable
from state.service import Service
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class NewItinerary:
    migration_id: int
    itinerary: str
    first: str  # its first step
    because: str


async def switch_within(
    tx: AsyncConnection, clock: SqlClock, to: NewItinerary, by: str, *, before_crossing: bool
) -> None:
    """As `OperatorChanges.switch`, in a transaction of the caller's."""
    values = {"itinerary": to.itinerary, "because": to.because, "next_step": to.first, **due_now()}
    facts = {"itinerary": to.itinerary, "because": to.because, "by": by}
    also = (MigrationTable.crossed_at.is_(None),) if before_crossing else ()
    now = await change_live_migration(tx, clock, to.migration_id, values, also=also)
    await findings.forget_all_but_what_holds(tx, clock, to.migration_id)
    await events.append(tx, to.migration_id, now, "switched", facts)


class OperatorChanges:
    """Each method is one guarded transaction with an event that names who asked.

    Each raises NotFound, LeaseLost or Conflict, as `guard.change_live_migration` says; then nothing was changed.
    """

    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def switch(
        self,
        migration_id: int,
        itinerary: str,
        first: str,
        because: str,
        by: str,
        *,
        before_crossing: bool = False,
    ) -> None:
        """Change the itinerary and put the cursor on its first step. Refused while an attempt is open.

        `before_crossing`: refused past the point of no return too.
        """
        to = NewItinerary(migration_id, itinerary, first, because)
        async with self._engine.begin() as tx:
            await switch_within(tx, self._clock, to, by, before_crossing=before_crossing)

    async def reopen(self, migration_id: int, step: str, because: str, by: str, *, read: Service | None = None) -> None:
        """Put the cursor back on a step of the itinerary, and forget that step's findings.

        `read`: both sides were read for this decision, and what they showed of the number's service.
        """
        async with self._engine.begin() as tx:
            values = {"next_step": step, **due_now(), **_both_read(read)}
            now = await change_live_migration(tx, self._clock, migration_id, values)
            await findings.forget(tx, migration_id, step)
            await events.append(tx, migration_id, now, "reopened", {"to": step, "reason": because, "by": by})

    async def take_over(self, migration_id: int, number_id: int, step: str, because: str, by: str) -> None:
        """Somebody else moved the number: go on at `step` as one that has arrived. Its PIN is theirs, not ours."""
        async with self._engine.begin() as tx:
            values = {"next_step": step, **due_now()}
            now = await change_live_migration(tx, self._clock, migration_id, values)
            await findings.forget(tx, migration_id, step)
            forgotten = {"pin_provenance": None, "pin_since": None}
            await tx.execute(update(NumberTable).where(NumberTable.id == number_id).values(**forgotten))
            facts = {"to": step, "reason": because, "by": by}
            await events.append(tx, migration_id, now, "taken_over", facts)

    async def retry(self, migration_id: int, because: str, by: str, *, read: Service | None = None) -> None:
        """Make a blocked, waiting or held number due now. `read`: as of `reopen`."""
        values = due_now() | _both_read(read)
        await self._change(migration_id, values, "resolved", {"reason": because, "by": by})

    async def spend_reserve(self, migration_id: int, by: str, because: str = "") -> None:
        """Let this migration use the last three register or deregister calls of 72 h."""
        values = {"spend_reserve": True, **due_now()}
        await self._change(migration_id, values, "reserve_released", _who_and_why(by, because))

    async def hold(self, migration_id: int, hold: bool, by: str, because: str = "") -> None:
        """Keep a number from crossing, or let it cross. Works while a worker acts: the gate is read at the intent."""
        kind = "hold" if hold else "released"
        facts = _who_and_why(by, because)
        await self._change(migration_id, {"hold": hold}, kind, facts, while_leased=True)
        if not hold:
            async with self._engine.begin() as tx:
                await tx.execute(
                    update(MigrationTable)
                    .where(MigrationTable.id == migration_id, MigrationTable.status == Status.HELD)
                    .values(waiting_until=None, waiting_on=None, reason=None, status=Status.READY)
                )

    async def _change(
        self,
        migration_id: int,
        values: Mapping[str, Any],
        kind: str,
        facts: Mapping[str, Any],
        *,
        while_leased: bool = False,
    ) -> None:
        """Change columns and add the event, also while the outcome of a call is not known."""
        async with self._engine.begin() as tx:
            now = await change_live_migration(
                tx, self._clock, migration_id, values, while_attempt_open=True, while_leased=while_leased
            )
            await events.append(tx, migration_id, now, kind, facts)


def _both_read(read: Service | None) -> dict[str, Any]:
    return {"read_epoch": gates.this_epoch(), **read.columns()} if read is not None else {}


def _who_and_why(by: str, because: str) -> dict[str, str]:
    return {"by": by, "reason": because} if because else {"by": by}
