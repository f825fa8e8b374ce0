"""Moves numbers between waves, and out of them. A number's history names the person; so does that of each wave."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import LIVE, Status, WaveState
from state.errors import Conflict, NotFound
from state.ledger import events, wave_events, wave_members
from state.ledger.guard import change_live_migration
from state.ledger.inserting import chunks
from state.ledger.waves import NOT_OVER
from state.models import MigrationTable, NumberTable, WaveTable
from state.types import SqlClock


class WaveMoves:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def move(self, migrations: Sequence[int], to: str | None, because: str, by: str) -> None:
        """Move these numbers to a wave that is not over, or for None out of their waves; all of them or none.

        Possible while a worker runs a number that has not crossed: the gate is read when the intent is committed.
        Raises NotFound or Conflict, which names the number.
        """
        async with self._engine.begin() as tx:
            await move_in(tx, self._clock, migrations, to, because, by)


async def move_in(
    tx: AsyncConnection, clock: SqlClock, migrations: Sequence[int], to: str | None, because: str, by: str
) -> None:
    """As `WaveMoves.move`, as a part of the caller's transaction."""
    target = await _target(tx, to)
    rows = await _read(tx, migrations)
    for row in rows:
        _check(row, to)
    for row in rows:
        # Who takes a number out of a wave that has begun takes its gate away, and does not ask it to cross.
        leaves_begun = target is None and row["state"] not in (None, WaveState.PLANNED)
        values: dict[str, Any] = {"wave_pk": target, "canary": False, "released_by_name": False}
        values |= {"hold": True} if leaves_begun else {}
        now = await change_live_migration(
            tx,
            clock,
            row["id"],
            values,
            while_attempt_open=True,
            while_leased=True,
            also=(MigrationTable.crossed_at.is_(None),),
        )
        await tx.execute(  # it is looked at again, under the rules of its new wave
            update(MigrationTable)
            .where(MigrationTable.id == row["id"], MigrationTable.status == Status.HELD)
            .values(waiting_until=None, reason=None)
        )
        facts = {"from": row["wave"], "to": to, "reason": because, "by": by, "on hold": leaves_begun or None}
        await events.append(tx, row["id"], now, "wave_changed", facts)
    for wave_pk in {row["wave_pk"] for row in rows if row["canary"]}:
        await wave_members.count_canary(tx, wave_pk)
    await _tell_waves(tx, clock, rows, target, because, by)


async def _tell_waves(
    tx: AsyncConnection, clock: SqlClock, rows: Sequence[Mapping[str, Any]], target: int | None, because: str, by: str
) -> None:
    left: dict[int, list[str]] = {}
    for row in rows:
        if row["wave_pk"] is not None:
            left.setdefault(row["wave_pk"], []).append(row["ref"])
    for wave_pk, refs in left.items():
        await wave_events.append(tx, clock, wave_pk, "numbers_left", by, because, {"numbers": refs})
    if target is not None:
        joined = {"numbers": [row["ref"] for row in rows]}
        await wave_events.append(tx, clock, target, "numbers_joined", by, because, joined)


async def _target(tx: AsyncConnection, to: str | None) -> int | None:
    if to is None:
        return None
    wave = (await tx.execute(select(WaveTable.id, WaveTable.state).where(WaveTable.name == to))).one_or_none()
    if wave is None:
        raise NotFound(f"there is no wave {to}; `cutover status` lists the waves")
    if wave.state not in NOT_OVER:
        raise Conflict(f"wave {to} is {wave.state}; nothing was changed")
    return int(wave.id)


async def _read(tx: AsyncConnection, migrations: Sequence[int]) -> list[Mapping[str, Any]]:
    query = (
        select(
            MigrationTable.id,
            MigrationTable.wave_pk,
            MigrationTable.canary,
            MigrationTable.status,
            MigrationTable.crossed_at,
            MigrationTable.paused_at,
            NumberTable.ref,
            WaveTable.name.label("wave"),
            WaveTable.state,
        )
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
        .order_by(NumberTable.id)
    )
    rows: list[Mapping[str, Any]] = []
    for part in chunks(migrations):
        rows += [dict(row) for row in (await tx.execute(query.where(MigrationTable.id.in_(part)))).mappings()]
    return rows


def _check(row: Mapping[str, Any], to: str | None) -> None:
    ref, place = row["ref"], f"in wave {row['wave']}" if row["wave"] is not None else "in no wave"
    if row["status"] not in LIVE:
        raise Conflict(f"{ref} is {row['status']}; nothing was changed")
    if row["crossed_at"] is not None:
        raise Conflict(f"{ref} is past its point of no return, {place}; nothing was changed")
    if row["wave"] == to:
        raise Conflict(f"{ref} is {place} already; nothing was changed")
    if row["paused_at"] is not None:
        advice = f"`cutover run {ref}` moves it, `cutover abort {ref}` ends it and tells them to go on"
        raise Conflict(f"{ref}: its senders were asked to wait for its cutover, {place}; {advice}; nothing was changed")
