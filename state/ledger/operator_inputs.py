"""What a person hands in about a number: a verification code, a PIN, a statement that On-Premises is off."""

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from state.code_steps import VERIFY_STEPS
from state.enums import PinProvenance, Status
from state.errors import NotFound
from state.ledger import events, findings
from state.ledger.guard import change_live_migration, due_now
from state.ledger.sealed import replace_secret
from state.models import CodeTable, MigrationTable, NumberTable
from state.rows import SealedSecret
from state.types import SqlClock


class OperatorInputs:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def enter_code(
        self, migration_id: int, sealed: SealedSecret, owner: str, by: str, *, door: str = "command", tag: str = ""
    ) -> None:
        """Store a sealed code and make the number due. A code that was entered before and not used is replaced.

        `tag`: keyed, of its digits, to recognise them when they are typed again.
        """
        async with self._engine.begin() as tx:
            now = await change_live_migration(
                tx, self._clock, migration_id, {}, while_attempt_open=True, while_leased=True
            )
            entered = (CodeTable.migration_pk == migration_id, CodeTable.state == "entered")
            await tx.execute(update(CodeTable).where(*entered).values(state="replaced"))
            typed = {"entered_at": now, "entered_by": by[:100], "door": door, "tag": tag or None}
            await tx.execute(insert(CodeTable).values(migration_pk=migration_id, state="entered", **typed))
            await replace_secret(tx, owner, sealed, now, proved=True)  # nobody sends the earlier code any more
            await events.append(tx, migration_id, now, "code_entered", {"by": by, "door": door})
            # Here too: of a number that sleeps on, a stored code would be told to be "stored already".
            # Between two transactions a process may die.
            await tx.execute(
                update(MigrationTable)
                .where(
                    MigrationTable.id == migration_id,
                    MigrationTable.status.in_([Status.WAITING, Status.BLOCKED]),
                    MigrationTable.next_step.in_(VERIFY_STEPS),
                )
                .values(**due_now())
            )

    async def record_pin(
        self,
        number_id: int,
        owner: str,
        sealed: SealedSecret | None,
        provenance: PinProvenance,
        by: str,
        because: str = "",
    ) -> None:
        """Store a PIN that somebody knows, or (`sealed` None) their statement that two-step verification is off.

        Raises NotFound without a live migration, and LeaseLost while a worker acts on the number: that worker may be
        about to send the PIN that it has set itself.
        """
        async with self._engine.begin() as tx:
            live = select(MigrationTable.id).where(
                MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None)
            )
            migration_id = (await tx.execute(live)).scalar_one_or_none()
            if migration_id is None:
                raise NotFound("the number has no live migration")
            now = await change_live_migration(tx, self._clock, migration_id, {}, while_attempt_open=True)
            await tx.execute(
                update(NumberTable).where(NumberTable.id == number_id).values(pin_provenance=provenance, pin_since=now)
            )
            if sealed is not None:
                await replace_secret(tx, owner, sealed, now)
            # The result is about another PIN, and `register` sends none that secure_pin has not secured.
            await findings.forget(tx, migration_id, "secure_pin")
            facts = {"provenance": provenance, "by": by, "reason": because}
            await events.append(tx, migration_id, now, "pin_stated", facts)

    async def record_onprem_off(self, number_id: int, by: str, because: str = "") -> None:
        """Store a named person's statement that the On-Premises client is off and stays off."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await tx.execute(
                update(NumberTable)
                .where(NumberTable.id == number_id)
                .values(onprem_off_stated_by=by, onprem_off_stated_at=now)
            )
            live = await tx.execute(
                update(MigrationTable)  # locks the row, which keeps the events in one chain
                .where(MigrationTable.number_pk == number_id, MigrationTable.ended_at.is_(None))
                .values(version=MigrationTable.version + 1)
                .returning(MigrationTable.id)
            )
            for row in live:
                await events.append(tx, row.id, now, "onprem_off_stated", {"by": by, "reason": because})
