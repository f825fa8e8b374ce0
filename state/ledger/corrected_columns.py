"""What a corrected inventory changes beyond the rows that it replaces: waves of live migrations, and earlier calls."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.enums import WaveState
from state.errors import Conflict
from state.ledger import wave_events
from state.ledger.anchoring import note_calls
from state.ledger.fleet_rows import NewNumber, earlier_calls
from state.ledger.inserting import chunks, find_or_insert, insert_rows
from state.ledger.wave_moves import move_in
from state.models import BudgetCallTable, WaveTable
from state.types import SqlClock

BECAUSE = "the corrected inventory's column wave"


async def change_waves(
    tx: AsyncConnection,
    clock: SqlClock,
    numbers: Sequence[NewNumber],
    rows: Mapping[str, Any],
    now: datetime,
    by: str,
) -> None:
    """Move live migrations to the waves that the file newly names. A wave that the file does not change stays.

    Raises Conflict, naming the line, for a wave that has begun, and for a number that has crossed.
    """
    changed = [new for new in numbers if new.wave != rows[new.e164].wave_name]
    for name in sorted({new.wave for new in changed if new.wave is not None}):
        line = next(new.line for new in changed if new.wave == name)
        known = (await tx.execute(select(WaveTable.id).where(WaveTable.name == name))).first() is not None
        wave = await find_or_insert(tx, WaveTable, {"name": name}, {"created_at": now})
        if wave.state != WaveState.PLANNED:
            problem = f"wave {name} is {wave.state}; numbers are put into planned waves only"
            raise Conflict(f"line {line}: {problem}; `cutover move` moves single numbers; nothing was changed")
        if not known:
            await wave_events.append(tx, clock, wave.id, "planned", by, BECAUSE)
    moves: dict[str | None, list[int]] = {}
    for new in changed:
        row = rows[new.e164]
        if row.migration_id is None or row.ended_at is not None or row.wave == new.wave:
            continue
        if row.crossed_at is not None:
            problem = f"{row.ref} has crossed in {f'wave {row.wave}' if row.wave else 'no wave'} and stays there"
            raise Conflict(f"line {new.line}: {problem}; nothing was changed")
        moves.setdefault(new.wave, []).append(int(row.migration_id))
    for to, migrations in moves.items():
        await move_in(tx, clock, migrations, to, BECAUSE, by)


async def add_earlier_calls(tx: AsyncConnection, clock: SqlClock, numbers: Sequence[NewNumber], now: datetime) -> None:
    """The calls made outside cutover that the file names more of than an earlier file did; never fewer."""
    known: Counter[tuple[str, str]] = Counter()
    for part in chunks(numbers):
        query = (
            select(BudgetCallTable.phone_number_id, BudgetCallTable.call, func.count())
            .where(
                BudgetCallTable.before_import.is_(True),
                BudgetCallTable.phone_number_id.in_([new.phone_number_id for new in part]),
            )
            .group_by(BudgetCallTable.phone_number_id, BudgetCallTable.call)
        )
        known.update({(row[0], row[1]): row[2] for row in (await tx.execute(query)).all()})
    added = []
    for call in (call for new in numbers for call in earlier_calls(new, now)):
        key = (call["phone_number_id"], call["call"])
        if known[key] > 0:
            known[key] -= 1
        else:
            added.append(call)
    await insert_rows(tx, BudgetCallTable, added)
    await note_calls(tx, clock, added)
