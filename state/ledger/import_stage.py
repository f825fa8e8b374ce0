"""What an import has written that nobody can see yet: instances and sealed secrets, to which no number refers.

The ids of the numbers are given first, because a secret is sealed for its number. A stage that its process left
behind is removed by the next import.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import PinProvenance
from state.errors import Conflict
from state.ledger.fleet_rows import NewNumber, Sealer, instance_columns_of
from state.ledger.inserting import allot, chunks, insert_rows
from state.ledger.sealed import secret_columns_of
from state.models import ImportTable, InstanceTable, SecretTable
from state.types import SqlClock

STAGING, DROPPED, DONE = "staging", "dropped", "done"
# A batch takes milliseconds. An import that wrote nothing for this long is dead, or it is told so when it wakes.
DEAD_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Stage:
    """The ids `first_number` and following belong to `numbers`, in their order; those of instances alike."""

    import_id: int
    numbers: Sequence[NewNumber]
    first_number: int
    first_instance: int

    def columns(self, place: int, now: datetime) -> dict[str, Any]:
        """Of the number at `place`, as far as they follow from the stage."""
        new = self.numbers[place]
        return {
            "id": self.first_number + place,
            "instance_pk": self.first_instance + place if new.instance is not None else None,
            "pin_provenance": PinProvenance.HANDED_IN if new.has_pin else None,
            "pin_since": now if new.has_pin else None,
        }


class ImportStages:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, numbers: Sequence[NewNumber], holder: str) -> Stage:
        """Give the numbers their ids, and record who writes them."""
        async with self._engine.begin() as tx:
            first_number = await allot(tx, "numbers", len(numbers))
            first_instance = await allot(tx, "instances", len(numbers))
            new = insert(ImportTable).values(
                state=STAGING,
                holder=holder,
                first_number=first_number,
                first_instance=first_instance,
                numbers=len(numbers),
                began_at=self._clock.now(),
                touched_at=self._clock.now(),
            )
            import_id = (await tx.execute(new.returning(ImportTable.id))).scalar_one()
        return Stage(int(import_id), numbers, first_number, first_instance)

    async def write(self, stage: Stage, sealer: Sealer) -> None:
        """Write instances and secrets in batches, sealed in a thread and outside any transaction.

        Raises AlreadyThere for an instance that another import has staged, Conflict where this one was taken for dead.
        """
        for places in chunks(range(len(stage.numbers))):
            instances, secrets = await asyncio.to_thread(_rows, stage, places, sealer)
            async with self._engine.begin() as tx:
                now = await self._still_ours(tx, stage, STAGING)
                await insert_rows(tx, InstanceTable, instances)
                await insert_rows(tx, SecretTable, [row | {"made_at": now} for row in secrets])

    async def end(self, tx: AsyncConnection, stage: Stage) -> datetime:
        """In the transaction that makes the numbers visible. Raises Conflict where the import was taken for dead."""
        return await self._still_ours(tx, stage, DONE)

    async def drop(self, stage: Stage) -> None:
        """Remove what was staged."""
        await self._drop(stage.import_id, stage.first_number, stage.first_instance, len(stage.numbers))

    async def drop_dead(self, is_gone: Callable[[str], bool]) -> None:
        """Remove what imports left that no longer run."""
        late = (ImportTable.touched_at <= self._clock.now(-DEAD_AFTER)).label("late")
        query = select(ImportTable.__table__, late).where(ImportTable.state.in_([STAGING, DROPPED]))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        for row in rows:
            if row.late or row.state == DROPPED or is_gone(row.holder):
                await self._drop(row.id, row.first_number, row.first_instance, row.numbers)

    async def _still_ours(self, tx: AsyncConnection, stage: Stage, state: str) -> datetime:
        touched = update(ImportTable).where(ImportTable.id == stage.import_id, ImportTable.state == STAGING)
        now = self._clock.now()
        touched = touched.values(touched_at=now, state=state)
        row = (await tx.execute(touched.returning(now.label("now")))).one_or_none()
        if row is None:
            raise Conflict("this import stood still for so long that another one removed it; nothing was imported")
        return row.now  # type: ignore[no-any-return]

    async def _drop(self, import_id: int, first_number: int, first_instance: int, count: int) -> None:
        async with self._engine.begin() as tx:
            taken = update(ImportTable).where(ImportTable.id == import_id, ImportTable.state != DONE)
            if (await tx.execute(taken.values(state=DROPPED).returning(ImportTable.id))).one_or_none() is None:
                return
        for places in chunks(range(count)):
            owners = [f"number:{first_number + place}" for place in places]
            owners += [f"instance:{first_instance + place}" for place in places]
            of_stage = InstanceTable.id.between(first_instance + places[0], first_instance + places[-1])
            # Staged secrets are current ones: the condition lets the index find them.
            current = (SecretTable.superseded_at.is_(None), SecretTable.shredded_at.is_(None))
            async with self._engine.begin() as tx:
                await tx.execute(delete(SecretTable).where(SecretTable.owner.in_(owners), *current))
                await tx.execute(delete(InstanceTable).where(of_stage))
        async with self._engine.begin() as tx:
            await tx.execute(delete(ImportTable).where(ImportTable.id == import_id, ImportTable.state == DROPPED))


def _rows(stage: Stage, places: Sequence[int], sealer: Sealer) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of instances and of secrets, these without their time."""
    instances, secrets = [], []
    for place in places:
        new = stage.numbers[place]
        number, instance = f"number:{stage.first_number + place}", f"instance:{stage.first_instance + place}"
        secrets += [secret_columns_of(number, sealed) for sealed in sealer.number(new, number)]
        if new.instance is not None:
            instances.append(instance_columns_of(new.instance) | {"id": stage.first_instance + place})
            secrets += [secret_columns_of(instance, sealed) for sealed in sealer.instance(new, instance)]
    return instances, secrets
