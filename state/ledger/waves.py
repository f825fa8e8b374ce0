"""Waves: planned, released, held, halted, stopped. The gate reads these rows at every intent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import LIVE, Released, Status, WaveState
from state.errors import AlreadyThere, Conflict, NotFound
from state.ledger.halt_rule import is_failed
from state.ledger.inserting import chunks
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

    async def create(self, new: NewWave, migrations: Sequence[int]) -> int:
        """Make a planned wave of these migrations; the first `canary_size` are its canary. Returns its id.

        Raises Conflict for a name that exists, a window that ends before it begins, or a migration that belongs to
        another wave or has ended.
        """
        async with self._engine.begin() as tx:
            values = {name: getattr(new, name) for name in NewWave.__slots__}
            wave = insert(WaveTable).values(**values, state=WaveState.PLANNED, created_at=self._clock.now())
            try:
                wave_pk = int((await tx.execute(wave.returning(WaveTable.id))).scalar_one())
            except AlreadyThere as exc:
                raise Conflict(f"there is a wave {new.name} already; nothing was changed") from exc
            except IntegrityError as exc:
                raise Conflict(f"the window of wave {new.name} would end before it begins") from exc
            await self._add(tx, wave_pk, migrations, canary=migrations[: new.canary_size])
        return wave_pk

    async def replan(self, new: NewWave, migrations: Sequence[int]) -> None:
        """Give a planned wave new settings and add these numbers. Raises NotFound or Conflict."""
        values = {name: getattr(new, name) for name in NewWave.__slots__ if name != "name"}
        async with self._engine.begin() as tx:
            planned = (
                update(WaveTable)
                .where(WaveTable.name == new.name, WaveTable.state == WaveState.PLANNED)
                .values(**values)
            )
            row = await self._with_window(tx, new.name, planned.returning(WaveTable.id))
            if row is None:
                raise await self._refusal(tx, new.name)
            await self._add(tx, row.id, migrations)
            # The numbers of the canary stay in it, as far as its new size allows.
            order = (MigrationTable.canary.desc(), MigrationTable.id)
            numbers = select(MigrationTable.id).where(MigrationTable.wave_pk == row.id).order_by(*order)
            canary = (await tx.execute(numbers.limit(new.canary_size))).scalars().all()
            await tx.execute(
                update(MigrationTable)
                .where(MigrationTable.wave_pk == row.id)
                .values(canary=MigrationTable.id.in_(canary))
            )

    async def set_window(self, name: str, start: datetime | None, end: datetime | None, time_zone: str) -> None:
        """Give a wave that is not over another window, and make its held numbers due now.

        Raises NotFound; Conflict for a wave that is stopped or done, or a window that ends before it begins.
        """
        live = [WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED]
        values = {"window_start": start, "window_end": end, "time_zone": time_zone}
        changed = update(WaveTable).where(WaveTable.name == name, WaveTable.state.in_(live)).values(**values)
        async with self._engine.begin() as tx:
            row = await self._with_window(tx, name, changed.returning(WaveTable.id, WaveTable.state))
            if row is None:
                raise await self._refusal(tx, name)
            await self._make_held_due(tx, row.id, Status.READY if row.state == WaveState.RUNNING else Status.HELD)

    async def _with_window(self, tx: AsyncConnection, name: str, change: Any) -> Any:
        try:
            return (await tx.execute(change)).one_or_none()
        except IntegrityError as exc:
            raise Conflict(f"the window of wave {name} would end before it begins; nothing was changed") from exc

    async def release_numbers(self, name: str, migrations: Sequence[int]) -> None:
        """Make these numbers part of the released canary. Raises NotFound."""
        async with self._engine.begin() as tx:
            row = (
                await tx.execute(select(WaveTable.id, WaveTable.released).where(WaveTable.name == name))
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")
            if row.released == Released.NONE:
                # The planned canary was not released, so only these numbers may pass.
                await tx.execute(update(MigrationTable).where(MigrationTable.wave_pk == row.id).values(canary=False))
                await tx.execute(update(WaveTable).where(WaveTable.id == row.id).values(released=Released.CANARY))
            for part in chunks(migrations):
                await tx.execute(
                    update(MigrationTable)
                    .where(MigrationTable.wave_pk == row.id, MigrationTable.id.in_(part))
                    .values(canary=True)
                )
            await self._make_held_due(tx, row.id, Status.READY)

    async def _add(
        self, tx: AsyncConnection, wave_pk: int, migrations: Sequence[int], *, canary: Sequence[int] = ()
    ) -> None:
        """With a few statements, however many numbers there are. Raises Conflict naming one that cannot be added."""
        for part in chunks(sorted(migrations)):
            added = await tx.execute(
                update(MigrationTable)
                .where(MigrationTable.id.in_(part), MigrationTable.wave_pk.is_(None), MigrationTable.status.in_(LIVE))
                .values(wave_pk=wave_pk, canary=False, version=MigrationTable.version + 1)
                .returning(MigrationTable.id)
            )
            left = set(part) - set(added.scalars())
            if left:
                raise Conflict(f"number migration {min(left)} is in another wave or has ended")
        for part in chunks(canary):
            await tx.execute(update(MigrationTable).where(MigrationTable.id.in_(part)).values(canary=True))

    async def set_state(
        self, name: str, to: WaveState, *, allowed: Sequence[WaveState], because: str | None = None
    ) -> None:
        """Change a wave's state from one of `allowed`. Raises NotFound or Conflict."""
        await self._guarded(name, allowed, {"state": to, "because": because})

    async def release(self, name: str, released: Released) -> None:
        """Let the canary, or all numbers, pass the gate. Raises NotFound, or Conflict if that was released before."""
        narrower = {Released.CANARY: [Released.NONE], Released.ALL: [Released.NONE, Released.CANARY]}[released]
        async with self._engine.begin() as tx:
            changed = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, WaveTable.released.in_(narrower))
                .values(released=released)
                .returning(WaveTable.id)
            )
            row = changed.one_or_none()
            if row is None:
                raise await self._refusal(tx, name)
            await self._make_held_due(tx, row.id, Status.READY)

    async def finish(self) -> None:
        """Set running waves whose numbers have all ended to done."""
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

    async def _make_held_due(self, tx: AsyncConnection, wave_pk: int, status: Status = Status.HELD) -> None:
        """`status` ready: a gate was opened, and ready numbers keep a wave loop running that was about to end.

        A worker at one of the wave's numbers reads it again, because what it read of the wave no longer holds.
        """
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.wave_pk == wave_pk, MigrationTable.ended_at.is_(None))
            .values(version=MigrationTable.version + 1)
        )
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.wave_pk == wave_pk, MigrationTable.status == Status.HELD)
            .values(waiting_until=None, status=status)
        )

    async def _guarded(self, name: str, allowed: Sequence[WaveState], values: dict[str, Any]) -> None:
        async with self._engine.begin() as tx:
            changed = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, WaveTable.state.in_(allowed))
                .values(**values)
                .returning(WaveTable.id)
            )
            row = changed.one_or_none()
            if row is None:
                raise await self._refusal(tx, name)
            if values.get("state") == WaveState.RUNNING:
                await self._acknowledge_failures(tx, row.id)
            await self._make_held_due(
                tx, row.id, Status.READY if values.get("state") == WaveState.RUNNING else Status.HELD
            )

    async def _acknowledge_failures(self, tx: AsyncConnection, wave_pk: int) -> None:
        """Who lets a halted wave go on has seen its failures, so that only later failures halt it again."""
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.wave_pk == wave_pk, is_failed(MigrationTable))
            .values(failure_known=True)
        )

    async def _refusal(self, tx: AsyncConnection, name: str) -> Exception:
        row = (
            await tx.execute(select(WaveTable.state, WaveTable.released).where(WaveTable.name == name))
        ).one_or_none()
        if row is None:
            return NotFound(f"there is no wave {name}; `cutover status` lists the waves")
        return Conflict(f"wave {name} is {row.state}, released for {row.released}; nothing was changed")
