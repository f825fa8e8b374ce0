"""Waves: made, filled, released, held, halted, stopped. The gate reads these rows at every intent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import LIVE, Released, Status, WaveState
from state.errors import Conflict, NotFound
from state.ledger.halt_rule import failed
from state.models import MigrationTable, WaveTable
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class NewWave:
    name: str
    window_start: datetime | None = None
    window_end: datetime | None = None
    time_zone: str = "UTC"
    canary_size: int = 0
    concurrency: int = 10
    halt_count: int | None = None
    halt_share: float | None = None
    released: Released = Released.ALL


class Waves:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def make(self, new: NewWave, migrations: Sequence[int]) -> int:
        """A wave of these migrations; the first `canary_size` are its canary. Raises Conflict for a known name,
        or when one of the migrations belongs to another wave or has ended."""
        async with self._engine.begin() as tx:
            values = {name: getattr(new, name) for name in NewWave.__slots__}
            made = insert(WaveTable).values(**values, state=WaveState.PLANNED, created_at=self._clock.now())
            try:
                wave_pk = int((await tx.execute(made.returning(WaveTable.id))).scalar_one())
            except IntegrityError as exc:
                raise Conflict(f"there is a wave {new.name} already, or its window ends before it begins") from exc
            for place, migration_id in enumerate(migrations):
                await self._put(tx, wave_pk, migration_id, canary=place < new.canary_size)
        return wave_pk

    async def add(self, name: str, migrations: Sequence[int]) -> None:
        """Put more numbers into a wave that has not begun. Raises NotFound or Conflict."""
        async with self._engine.begin() as tx:
            row = (await tx.execute(select(WaveTable.id, WaveTable.state).where(WaveTable.name == name))).one_or_none()
            if row is None:
                raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")
            if row.state != WaveState.PLANNED:
                raise Conflict(f"wave {name} is {row.state}; numbers are put into planned waves only")
            for migration_id in migrations:
                await self._put(tx, row.id, migration_id, canary=False)

    async def settle(self, new: NewWave, migrations: Sequence[int]) -> None:
        """Give a planned wave new settings and more numbers. Raises NotFound or Conflict."""
        values = {name: getattr(new, name) for name in NewWave.__slots__ if name != "name"}
        async with self._engine.begin() as tx:
            settled = (
                update(WaveTable)
                .where(WaveTable.name == new.name, WaveTable.state == WaveState.PLANNED)
                .values(**values)
            )
            row = await self._with_window(tx, new.name, settled.returning(WaveTable.id))
            if row is None:
                raise await self._why_not(tx, new.name)
            for migration_id in migrations:
                await self._put(tx, row.id, migration_id, canary=False)
            # Those that were the canary stay it, as far as there is room.
            order = (MigrationTable.canary.desc(), MigrationTable.id)
            numbers = select(MigrationTable.id).where(MigrationTable.wave_pk == row.id).order_by(*order)
            first = [one.id for one in (await tx.execute(numbers)).all()][: new.canary_size]
            await tx.execute(
                update(MigrationTable)
                .where(MigrationTable.wave_pk == row.id)
                .values(canary=MigrationTable.id.in_(first))
            )

    async def set_window(self, name: str, start: datetime | None, end: datetime | None, time_zone: str) -> None:
        """Give a wave that is not over another window, and have its held numbers looked at again.

        Raises NotFound; Conflict for a wave that is stopped or done, or a window that ends before it begins.
        """
        live = [WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED]
        values = {"window_start": start, "window_end": end, "time_zone": time_zone}
        changed = update(WaveTable).where(WaveTable.name == name, WaveTable.state.in_(live)).values(**values)
        async with self._engine.begin() as tx:
            row = await self._with_window(tx, name, changed.returning(WaveTable.id, WaveTable.state))
            if row is None:
                raise await self._why_not(tx, name)
            await self._wake(tx, row.id, Status.READY if row.state == WaveState.RUNNING else Status.HELD)

    async def _with_window(self, tx: AsyncConnection, name: str, change: Any) -> Any:
        try:
            return (await tx.execute(change)).one_or_none()
        except IntegrityError as exc:
            raise Conflict(f"the window of wave {name} would end before it begins; nothing was changed") from exc

    async def release_some(self, name: str, migrations: Sequence[int]) -> None:
        """Let these numbers pass with the canary. Raises NotFound."""
        async with self._engine.begin() as tx:
            row = (
                await tx.execute(select(WaveTable.id, WaveTable.released).where(WaveTable.name == name))
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")
            if row.released == Released.NONE:
                # Only these: the canary that was planned has not been let go.
                await tx.execute(update(MigrationTable).where(MigrationTable.wave_pk == row.id).values(canary=False))
                await tx.execute(update(WaveTable).where(WaveTable.id == row.id).values(released=Released.CANARY))
            await tx.execute(
                update(MigrationTable)
                .where(MigrationTable.wave_pk == row.id, MigrationTable.id.in_(migrations))
                .values(canary=True)
            )
            await self._wake(tx, row.id, Status.READY)

    async def _put(self, tx: AsyncConnection, wave_pk: int, migration_id: int, *, canary: bool) -> None:
        put = await tx.execute(
            update(MigrationTable)
            .where(
                MigrationTable.id == migration_id,
                MigrationTable.wave_pk.is_(None),
                MigrationTable.status.in_(LIVE),
            )
            .values(wave_pk=wave_pk, canary=canary)
            .returning(MigrationTable.id)
        )
        if put.one_or_none() is None:
            raise Conflict(f"number migration {migration_id} is in another wave or has ended")

    async def move(self, name: str, to: WaveState, *, allowed: Sequence[WaveState], because: str | None = None) -> None:
        """Change a wave's state from one of `allowed`. Raises NotFound or Conflict."""
        await self._guarded(name, allowed, {"state": to, "because": because})

    async def release(self, name: str, released: Released) -> None:
        """Let the canary or all pass the gate. Raises Conflict when that much was released before."""
        narrower = {Released.CANARY: [Released.NONE], Released.ALL: [Released.NONE, Released.CANARY]}[released]
        async with self._engine.begin() as tx:
            done = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, WaveTable.released.in_(narrower))
                .values(released=released)
                .returning(WaveTable.id)
            )
            row = done.one_or_none()
            if row is None:
                raise await self._why_not(tx, name)
            await self._wake(tx, row.id, Status.READY)

    async def finish(self) -> None:
        """Waves whose every number has ended are done."""
        numbers = select(MigrationTable.id).where(MigrationTable.wave_pk == WaveTable.id).correlate(WaveTable)
        async with self._engine.begin() as tx:
            await tx.execute(
                update(WaveTable)
                .where(
                    WaveTable.state == WaveState.RUNNING,
                    numbers.exists(),
                    ~numbers.where(MigrationTable.ended_at.is_(None)).exists(),
                )
                .values(state=WaveState.DONE, because=None)
            )

    async def wake(self, name: str) -> None:
        """Let the held numbers of a wave be looked at again now."""
        async with self._engine.begin() as tx:
            row = (await tx.execute(select(WaveTable.id).where(WaveTable.name == name))).one_or_none()
            if row is None:
                raise NotFound(f"there is no wave {name}")
            await self._wake(tx, row.id)

    async def _wake(self, tx: AsyncConnection, wave_pk: int, status: Status = Status.HELD) -> None:
        """`status` ready: a gate was opened, and a loop that was about to end stays for them."""
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.wave_pk == wave_pk, MigrationTable.status == Status.HELD)
            .values(waiting_until=None, status=status)
        )

    async def _guarded(self, name: str, allowed: Sequence[WaveState], values: dict[str, Any]) -> None:
        async with self._engine.begin() as tx:
            done = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, WaveTable.state.in_(allowed))
                .values(**values)
                .returning(WaveTable.id)
            )
            row = done.one_or_none()
            if row is None:
                raise await self._why_not(tx, name)
            if values.get("state") == WaveState.RUNNING:
                await self._know_failures(tx, row.id)
            await self._wake(tx, row.id, Status.READY if values.get("state") == WaveState.RUNNING else Status.HELD)

    async def _know_failures(self, tx: AsyncConnection, wave_pk: int) -> None:
        """Whoever lets a halted wave go on has seen what failed: it halts again for what fails from now on."""
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.wave_pk == wave_pk, failed(MigrationTable))
            .values(failure_known=True)
        )

    async def _why_not(self, tx: AsyncConnection, name: str) -> Exception:
        row = (
            await tx.execute(select(WaveTable.state, WaveTable.released).where(WaveTable.name == name))
        ).one_or_none()
        if row is None:
            return NotFound(f"there is no wave {name}; `cutover status` lists the waves")
        return Conflict(f"wave {name} is {row.state}, released for {row.released}; nothing was changed")
