"""What a person may change about a number migration, outside any lease. Refused while a worker acts on it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import LIVE, Disposition, PinProvenance, Side, Status
from state.errors import Conflict, LeaseLost, NotFound
from state.ledger import events
from state.ledger.sealed import replace_secret
from state.models import (
    AttemptTable,
    BudgetCallTable,
    CodeTable,
    CredentialProfileTable,
    FindingTable,
    MigrationTable,
    NumberTable,
    WabaTable,
    WaveTable,
)
from state.rows import SealedSecret
from state.types import SqlClock


class OperatorChanges:
    """Every method is one guarded transaction with an event that names who asked."""

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
        also = (MigrationTable.crossed_at.is_(None),) if before_crossing else ()
        values = {"itinerary": itinerary, "because": because, "next_step": first, **_ready()}
        facts = {"itinerary": itinerary, "because": because, "by": by}
        await self._change(migration_id, values, "switched", facts, forget=True, also=also)

    async def reopen(self, migration_id: int, step: str, because: str, by: str) -> None:
        """Put the cursor back on a step of the itinerary."""
        values = {"next_step": step, **_ready()}
        await self._change(migration_id, values, "reopened", {"to": step, "reason": because, "by": by}, forget=(step,))

    async def ready(self, migration_id: int, because: str, by: str) -> None:
        """Let a blocked or waiting number be looked at again now."""
        await self._change(migration_id, _ready(), "resolved", {"reason": because, "by": by}, even_open=True)

    async def spend_reserve(self, migration_id: int, by: str, because: str = "") -> None:
        """A named person lets this migration use the last three calls of the budget."""
        values = {"spend_reserve": True, **_ready()}
        await self._change(migration_id, values, "reserve_released", _said(by, because), even_open=True)

    async def hold(self, migration_id: int, hold: bool, by: str, because: str = "") -> None:
        """Hold a number at its gate, or let it go. Works while a worker acts: the gate reads it at the intent."""
        values: dict[str, Any] = {"hold": hold}
        kind = "hold" if hold else "released"
        await self._change(migration_id, values, kind, _said(by, because), even_open=True, even_leased=True)
        if not hold:
            async with self._engine.begin() as tx:
                await tx.execute(
                    update(MigrationTable)
                    .where(MigrationTable.id == migration_id, MigrationTable.status == Status.HELD)
                    .values(waiting_until=None, status=Status.READY)
                )

    async def enter_code(self, migration_id: int, sealed: SealedSecret, owner: str, by: str) -> None:
        """Store a sealed code and wake the number up. A code entered before is replaced."""
        async with self._engine.begin() as tx:
            now = await self._guard(tx, migration_id, {}, even_open=True, even_leased=True)
            await tx.execute(
                update(CodeTable)
                .where(CodeTable.migration_pk == migration_id, CodeTable.state == "entered")
                .values(state="replaced")
            )
            await tx.execute(
                insert(CodeTable).values(migration_pk=migration_id, entered_at=now, entered_by=by, state="entered")
            )
            await replace_secret(tx, owner, sealed, now)
            await events.append(tx, migration_id, now, "code_entered", {"by": by})
        async with self._engine.begin() as tx:
            await tx.execute(
                update(MigrationTable)
                .where(
                    MigrationTable.id == migration_id,
                    MigrationTable.status.in_([Status.WAITING, Status.BLOCKED]),
                    MigrationTable.next_step.in_(["verify_code", "verify_code_onprem"]),
                )
                .values(**_ready())
            )

    async def state_pin(
        self, number_id: int, owner: str, sealed: SealedSecret | None, provenance: PinProvenance, by: str
    ) -> None:
        """Take a PIN somebody hands in, or their word that two-step verification is off.

        Raises LeaseLost while a worker acts on the number: it may be about to send the PIN that it has set itself.
        """
        async with self._engine.begin() as tx:
            live = select(MigrationTable.id).where(
                MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None)
            )
            migration_id = (await tx.execute(live)).scalar_one_or_none()
            if migration_id is None:
                raise NotFound("the number has no live migration")
            now = await self._guard(tx, migration_id, {}, even_open=True)
            await tx.execute(
                update(NumberTable).where(NumberTable.id == number_id).values(pin_provenance=provenance, pin_since=now)
            )
            if sealed is not None:
                await replace_secret(tx, owner, sealed, now)
            # What was secured before is another PIN, and `register` takes none that has not been through that step.
            secured = (FindingTable.migration_pk == migration_id, FindingTable.step == "secure_pin")
            await tx.execute(delete(FindingTable).where(*secured))
            await events.append(tx, migration_id, now, "pin_stated", {"provenance": provenance, "by": by})

    async def state_onprem_off(self, number_id: int, by: str) -> None:
        """A named person's recorded statement that the On-Premises client is off and stays off."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await tx.execute(
                update(NumberTable)
                .where(NumberTable.id == number_id)
                .values(onprem_off_stated_by=by, onprem_off_stated_at=now)
            )
            await self._note_on_live(tx, number_id, now, "onprem_off_stated", {"by": by})

    async def dispose(
        self, number_id: int, disposition: Disposition, reason: str, evidence: Mapping[str, Any], by: str
    ) -> None:
        """End a number otherwise than by moving it, with reason, evidence and who decided.

        Raises NotFound, LeaseLost while a worker acts on it, Conflict past its point of no return.
        """
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            found = await tx.execute(
                update(NumberTable)
                .where(NumberTable.id == number_id)
                .values(
                    disposition=disposition,
                    disposition_reason=reason,
                    disposition_evidence=dict(evidence),
                    disposition_by=by,
                    disposition_at=now,
                )
                .returning(NumberTable.id)
            )
            if found.one_or_none() is None:
                raise NotFound(f"there is no number {number_id}")
            ended = await tx.execute(
                update(MigrationTable)
                .where(
                    MigrationTable.number_pk == number_id,
                    MigrationTable.ended_at.is_(None),
                    MigrationTable.crossed_at.is_(None),
                    or_(
                        MigrationTable.lease_until.is_(None),
                        MigrationTable.lease_until <= self._clock.now(),
                    ),
                )
                .values(status=Status.SKIPPED, ended_at=now, next_step=None, reason=reason, waiting_until=None)
                .returning(MigrationTable.id)
            )
            for row in ended:
                facts = {"disposition": disposition, "reason": reason, "by": by}
                await events.append(tx, row.id, now, "skipped", facts)
            left = select(MigrationTable.id).where(
                MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None)
            )
            if (migration_id := (await tx.execute(left)).scalar_one_or_none()) is not None:
                raise await self._why_not(tx, migration_id)  # a live one must not stand beside a disposition

    async def start(
        self,
        number_id: int,
        *,
        itinerary: str,
        first: str,
        because: str,
        side: Side,
        dark_since: datetime | None = None,
        in_wave: bool = True,
        after: int | None = None,
    ) -> int:
        """Begin a migration of a number that has none live, in the wave that the number was imported for.

        Raises Conflict when the number has a live one.
        """
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            live = select(MigrationTable.id).where(
                MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None)
            )
            if (await tx.execute(live)).first() is not None:
                raise Conflict("the number has a live migration")
            wave = (
                select(WaveTable.id)
                .join(NumberTable, NumberTable.wave_name == WaveTable.name)
                .where(NumberTable.id == number_id)
            )
            new = insert(MigrationTable).values(
                number_pk=number_id,
                wave_pk=wave.scalar_subquery() if in_wave else None,
                itinerary=itinerary,
                because=because,
                next_step=first,
                status=Status.READY,
                side=side,
                side_read_at=now,
                dark_since=dark_since,
                created_at=now,
            )
            migration_id = int((await tx.execute(new.returning(MigrationTable.id))).scalar_one())
            if after is not None:
                await self._carry_snapshot(tx, after, migration_id)
            facts = {"itinerary": itinerary, "because": because, "side": side}
            await events.append(tx, migration_id, now, "started", facts)
        return migration_id

    async def _carry_snapshot(self, tx: AsyncConnection, before: int, migration_id: int) -> None:
        """What the migration before this one saw first still tells how the number was."""
        rows = await tx.execute(
            select(FindingTable.kind, FindingTable.at, FindingTable.facts).where(
                FindingTable.migration_pk == before, FindingTable.step == "snapshot"
            )
        )
        for row in rows.mappings().all():
            await tx.execute(insert(FindingTable).values(migration_pk=migration_id, step="snapshot", **row))

    async def unhalt_profile(self, name: str) -> None:
        """Let the numbers of a credential profile go on, after its token was replaced."""
        async with self._engine.begin() as tx:
            done = await tx.execute(
                update(CredentialProfileTable)
                .where(CredentialProfileTable.name == name)
                .values(halted_at=None, halted_because=None)
                .returning(CredentialProfileTable.id)
            )
            profile = done.scalar_one_or_none()
            if profile is None:
                raise NotFound(f"there is no credential profile {name}")
            # Those that stood at the halted profile are due now, not when they would have looked again.
            numbers = (
                select(NumberTable.id)
                .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
                .where(WabaTable.profile_id == profile)
            )
            await tx.execute(
                update(MigrationTable)
                .where(MigrationTable.number_pk.in_(numbers), MigrationTable.status == Status.HELD)
                .values(status=Status.READY, waiting_until=None)
            )

    async def count_calls_before_import(self, phone_number_id: str, call: str, at: datetime, count: int) -> None:
        """Calls made before cutover knew the number; they count against the same 72 h."""
        async with self._engine.begin() as tx:
            for _ in range(count):
                await tx.execute(
                    insert(BudgetCallTable).values(
                        phone_number_id=phone_number_id, call=call, at=at, before_import=True
                    )
                )

    async def _change(
        self,
        migration_id: int,
        values: Mapping[str, Any],
        kind: str,
        facts: Mapping[str, Any],
        *,
        forget: bool | tuple[str, ...] = False,
        even_open: bool = False,
        even_leased: bool = False,
        also: tuple[ColumnElement[bool], ...] = (),
    ) -> None:
        async with self._engine.begin() as tx:
            now = await self._guard(tx, migration_id, values, even_open=even_open, even_leased=even_leased, also=also)
            if forget is True:
                # The snapshot stays: it says how the number was before anything was touched, whatever way it takes.
                await tx.execute(
                    delete(FindingTable).where(
                        FindingTable.migration_pk == migration_id, FindingTable.step != "snapshot"
                    )
                )
            for step in forget if isinstance(forget, tuple) else ():
                await tx.execute(
                    delete(FindingTable).where(FindingTable.migration_pk == migration_id, FindingTable.step == step)
                )
            await events.append(tx, migration_id, now, kind, facts)

    async def _guard(
        self,
        tx: AsyncConnection,
        migration_id: int,
        values: Mapping[str, Any],
        *,
        even_open: bool = False,
        even_leased: bool = False,
        also: tuple[ColumnElement[bool], ...] = (),
    ) -> datetime:
        conditions: list[ColumnElement[bool]] = [
            MigrationTable.id == migration_id,
            MigrationTable.status.in_(LIVE),
            *also,
        ]
        if not even_leased:
            conditions.append(
                or_(MigrationTable.lease_until.is_(None), MigrationTable.lease_until <= self._clock.now())
            )
        if not even_open:
            opened = select(AttemptTable.id).where(
                AttemptTable.migration_pk == migration_id, AttemptTable.ended.is_(None)
            )
            conditions.append(~opened.exists())
        # Raising the fence shuts out a worker that took the number before this change.
        fence = MigrationTable.fence + (0 if even_leased else 1)
        changed = (
            await tx.execute(
                update(MigrationTable)
                .where(*conditions)
                .values(**{**values, "fence": fence})
                .returning(self._clock.now().label("now"))
            )
        ).one_or_none()
        if changed is None:
            raise await self._why_not(tx, migration_id)
        return changed.now  # type: ignore[no-any-return]

    async def _why_not(self, tx: AsyncConnection, migration_id: int) -> Exception:
        row = (
            await tx.execute(
                select(
                    NumberTable.ref,
                    MigrationTable.status,
                    MigrationTable.crossed_at,
                    (MigrationTable.lease_until > self._clock.now()).label("leased"),
                )
                .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
                .where(MigrationTable.id == migration_id)
            )
        ).one_or_none()
        if row is None:
            return NotFound(f"there is no number migration {migration_id}")
        if row.leased:
            return LeaseLost(f"{row.ref} is held by another worker; try again when its step has ended")
        if row.status not in LIVE:
            return Conflict(f"{row.ref} is {row.status}; nothing was changed")
        if row.crossed_at is not None:
            return Conflict(f"{row.ref} is past its point of no return; nothing was changed")
        return Conflict(f"{row.ref} has a call whose outcome is not known yet; nothing was changed")

    async def _note_on_live(
        self, tx: AsyncConnection, number_id: int, now: datetime, kind: str, facts: Mapping[str, Any]
    ) -> None:
        woken = await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None))
            .values(epoch=MigrationTable.epoch)
            .returning(MigrationTable.id)
        )
        for row in woken:
            await events.append(tx, row.id, now, kind, facts)


def _said(by: str, because: str) -> dict[str, str]:
    return {"by": by, "reason": because} if because else {"by": by}


def _ready() -> dict[str, Any]:
    return {
        "status": Status.READY,
        "waiting_until": None,
        "waiting_on": None,
        "reason": None,
        "runbook": None,
        "tries": 0,
    }
