"""Waves: planned, released, held, halted, stopped. The gate reads these rows at every intent.

Every change adds an event of the wave in the same transaction. `by` is the person who decided, or what did.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Codes, Released, SmokeMode, Status, WaveState
from state.errors import AlreadyThere, Conflict, NotFound
from state.ledger import wave_events, wave_members
from state.ledger.halt_rule import is_failed
from state.ledger.wave_events import OURSELVES
from state.models import MigrationTable, WaveTable
from state.types import SqlClock

NOT_OVER = (WaveState.PLANNED, WaveState.RUNNING, WaveState.HELD, WaveState.HALTED)


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
    codes: Codes = Codes.WHEN_READY
    smoke: SmokeMode = SmokeMode.OUTBOUND
    smoke_canary: SmokeMode | None = None
    smoke_hours: int | None = None


class Waves:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def create(self, new: NewWave, migrations: Sequence[int], *, by: str = OURSELVES) -> int:
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
            await wave_members.add_numbers(tx, wave_pk, migrations)
            await wave_members.set_canary(tx, wave_pk, migrations[: new.canary_size])
            del values["name"]
            facts = values | {
                "added": len(migrations),
                "canary": await wave_members.canary_of(tx, wave_pk),
            }
            await self._record(tx, wave_pk, "planned", by, facts=facts)
        return wave_pk

    async def replan(
        self, new: NewWave, migrations: Sequence[int], *, by: str = OURSELVES, keep_names: bool = True
    ) -> None:
        """Give a planned wave new settings and add these numbers. Raises NotFound or Conflict.

        `keep_names`: numbers that a release named may still cross; False where what is released was stated anew.
        """
        values = {name: getattr(new, name) for name in NewWave.__slots__ if name != "name"}
        async with self._engine.begin() as tx:
            before = (
                (await tx.execute(select(WaveTable.__table__).where(WaveTable.name == new.name))).mappings().first()
            )
            planned = (
                update(WaveTable)
                .where(WaveTable.name == new.name, WaveTable.state == WaveState.PLANNED)
                .values(**values)
            )
            row = await self._with_window(tx, new.name, planned.returning(WaveTable.id))
            if row is None or before is None:
                raise await self._refusal(tx, new.name)
            if not keep_names:
                await wave_members.withdraw_names(tx, row.id)
            await wave_members.add_numbers(tx, row.id, migrations)
            await wave_members.choose_canary(tx, row.id, new.canary_size, keep=new.released != Released.NONE)
            changed = {name: value for name, value in values.items() if value != before[name]}
            facts = changed | {"was": {name: before[name] for name in changed}, "added": len(migrations)}
            if new.canary_size:
                facts["canary"] = await wave_members.canary_of(tx, row.id)
            await self._record(tx, row.id, "replanned", by, facts=facts)

    async def set_window(
        self, name: str, start: datetime | None, end: datetime | None, time_zone: str, *, by: str = OURSELVES
    ) -> None:
        """Give a wave that is not over another window, and make its held numbers due now.

        Raises NotFound; Conflict for a wave that is stopped or done, or a window that ends before it begins.
        """
        values = {"window_start": start, "window_end": end, "time_zone": time_zone}
        changed = update(WaveTable).where(WaveTable.name == name, WaveTable.state.in_(NOT_OVER)).values(**values)
        async with self._engine.begin() as tx:
            row = await self._with_window(tx, name, changed.returning(WaveTable.id, WaveTable.state))
            if row is None:
                raise await self._refusal(tx, name)
            opened = Status.READY if row.state == WaveState.RUNNING else Status.HELD
            await wave_members.make_held_due(tx, row.id, opened)
            await self._record(tx, row.id, "window_changed", by, facts=values)

    async def set_concurrency(self, name: str, concurrency: int, *, by: str = OURSELVES) -> None:
        """How many numbers of a wave may move at once, from now on. Raises NotFound; Conflict once it is over."""
        async with self._engine.begin() as tx:
            was = (await tx.execute(select(WaveTable.concurrency).where(WaveTable.name == name))).scalar_one_or_none()
            changed = update(WaveTable).where(WaveTable.name == name, WaveTable.state.in_(NOT_OVER))
            row = (await tx.execute(changed.values(concurrency=concurrency).returning(WaveTable.id))).one_or_none()
            if row is None:
                raise await self._refusal(tx, name)
            await self._record(tx, row.id, "concurrency_changed", by, facts={"concurrency": concurrency, "was": was})

    async def _with_window(self, tx: AsyncConnection, name: str, change: Any) -> Any:
        try:
            return (await tx.execute(change)).one_or_none()
        except IntegrityError as exc:
            raise Conflict(f"the window of wave {name} would end before it begins; nothing was changed") from exc

    async def release_numbers(self, name: str, migrations: Sequence[int], *, by: str = OURSELVES) -> None:
        """Let these numbers pass the gate, beside those that were named before and a released canary. Raises NotFound.

        A wave that was released for all is narrowed to them; numbers that have crossed go on. Its canary stays what
        it is: who released single numbers has not decided about it.
        """
        async with self._engine.begin() as tx:
            row = (
                await tx.execute(select(WaveTable.id, WaveTable.released).where(WaveTable.name == name))
            ).one_or_none()
            if row is None:
                raise NotFound(f"there is no wave {name}; `cutover status` lists the waves")
            facts: dict[str, Any] = {}
            if row.released == Released.ALL:
                await tx.execute(update(WaveTable).where(WaveTable.id == row.id).values(released=Released.NONE))
                facts["was"] = {"released": row.released}
            await wave_members.release_by_name(tx, row.id, migrations)
            await wave_members.make_held_due(tx, row.id, Status.READY)
            facts["numbers"] = await wave_members.released_by_name(tx, row.id)
            await self._record(tx, row.id, "released", by, facts=facts)

    async def set_state(
        self,
        name: str,
        to: WaveState,
        *,
        allowed: Sequence[WaveState],
        because: str | None = None,
        by: str = OURSELVES,
    ) -> None:
        """Change a wave's state from one of `allowed`. Raises NotFound or Conflict."""
        async with self._engine.begin() as tx:
            changed = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, WaveTable.state.in_(allowed))
                .values(state=to, because=because)
                .returning(WaveTable.id)
            )
            row = changed.one_or_none()
            if row is None:
                raise await self._refusal(tx, name)
            if to is WaveState.RUNNING:
                await self._acknowledge_failures(tx, row.id)
            await wave_members.make_held_due(tx, row.id, Status.READY if to is WaveState.RUNNING else Status.HELD)
            begins = "begun" if WaveState.PLANNED in allowed else "continued"
            await self._record(tx, row.id, begins if to is WaveState.RUNNING else to.value, by, because)

    async def release(self, name: str, released: Released, *, by: str = OURSELVES) -> None:
        """Let only the canary, or all numbers, pass the gate; those that have crossed go on.

        Numbers that an earlier release named may not, unless they are part of it. Raises NotFound, or Conflict if
        exactly that was released before.
        """
        of_wave = select(MigrationTable.id).where(MigrationTable.wave_pk == WaveTable.id).correlate(WaveTable)
        named = of_wave.where(wave_members.named_and_not_crossed()).exists()
        async with self._engine.begin() as tx:
            changed = await tx.execute(
                update(WaveTable)
                .where(WaveTable.name == name, or_(WaveTable.released != released, named))
                .values(released=released)
                .returning(WaveTable.id)
            )
            row = changed.one_or_none()
            if row is None:
                raise await self._refusal(tx, name)
            facts: dict[str, Any] = {"released": released}
            if withdrawn := await wave_members.withdraw_names(tx, row.id):
                facts["was"] = {"numbers": ", ".join(withdrawn)}
            await wave_members.make_held_due(tx, row.id, Status.READY)
            if released is Released.CANARY:
                facts["canary"] = await wave_members.canary_of(tx, row.id)
            await self._record(tx, row.id, "released", by, facts=facts)

    async def finish(self) -> None:
        """Set waves whose numbers have all ended to done, held ones too; those that are only planned stay so."""
        numbers = select(MigrationTable.id).where(MigrationTable.wave_pk == WaveTable.id).correlate(WaveTable)
        async with self._engine.begin() as tx:
            done = await tx.execute(
                update(WaveTable)
                .where(
                    WaveTable.state.in_((WaveState.RUNNING, WaveState.HELD, WaveState.HALTED)),
                    numbers.exists(),
                    ~numbers.where(MigrationTable.ended_at.is_(None)).exists(),
                )
                .values(state=WaveState.DONE, because=None)
                .returning(WaveTable.id)
            )
            for wave_pk in done.scalars().all():
                await self._record(tx, wave_pk, WaveState.DONE.value, OURSELVES, "all its numbers are at their end")

    async def _record(
        self,
        tx: AsyncConnection,
        wave_pk: int,
        kind: str,
        by: str,
        because: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        await wave_events.append(tx, self._clock, wave_pk, kind, by, because, facts)

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
