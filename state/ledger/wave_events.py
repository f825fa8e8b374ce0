"""The history of each wave: who decided what, when and why. Rows are only added, each with a hash of the one before."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import WaveEventTable, WaveTable
from state.record_key import RecordKey, hash_under, record_key_of
from state.types import SqlClock

# Who decided, where no person did.
OURSELVES = "cutover"
HALT_RULE = "the halt rule"


async def append(
    tx: AsyncConnection,
    clock: SqlClock,
    wave_pk: int,
    kind: str,
    by: str,
    because: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Add one event, in the transaction that makes the change."""
    counted = (
        update(WaveTable)  # locks the row, which keeps the events in one chain
        .where(WaveTable.id == wave_pk)
        .values(events=WaveTable.events + 1)
        .returning(WaveTable.events, WaveTable.events_head, clock.now().label("now"))
    )
    wave = (await tx.execute(counted)).one()
    row = {
        "wave_pk": wave_pk,
        "seq": wave.events,
        "at": wave.now,
        "kind": kind,
        "decided_by": by,
        "because": because or None,
        "facts": json.loads(json.dumps(facts or {}, default=str)),
        "previous": wave.events_head,
    }
    row["hash"] = digest(record_key_of(tx), row)
    await tx.execute(insert(WaveEventTable).values(**row))
    await tx.execute(update(WaveTable).where(WaveTable.id == wave_pk).values(events_head=row["hash"]))


def digest(key: RecordKey | None, row: Mapping[str, Any]) -> str:
    """Over the row and the hash before it."""
    at: datetime = row["at"]
    names = ("kind", "decided_by", "because", "facts")
    parts = [row[name] for name in names]
    return hash_under(key, "wave", row["previous"], row["wave_pk"], row["seq"], at.astimezone(UTC).isoformat(), *parts)
