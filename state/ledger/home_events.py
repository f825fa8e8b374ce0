"""The history of the home itself: chains taken over, secrets revealed, customers forgotten, calls handed in."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import HomeEventTable, HomeTable
from state.record_key import RecordKey, hash_under, record_key_of
from state.types import SqlClock


async def append(tx: AsyncConnection, clock: SqlClock, kind: str, facts: Mapping[str, Any]) -> None:
    """Add one event, in the transaction that makes the change."""
    counted = (
        update(HomeTable)  # locks the row, which keeps the events in one chain
        .values(events=HomeTable.events + 1)
        .returning(HomeTable.events, HomeTable.events_head, clock.now().label("now"))
    )
    home = (await tx.execute(counted)).one()
    row = {
        "seq": home.events,
        "at": home.now,
        "kind": kind,
        "facts": json.loads(json.dumps(facts, default=str)),
        "previous": home.events_head,
    }
    row["hash"] = digest(record_key_of(tx), row)
    await tx.execute(insert(HomeEventTable).values(**row))
    await tx.execute(update(HomeTable).values(events_head=row["hash"]))


def digest(key: RecordKey | None, row: Mapping[str, Any]) -> str:
    """Over the row and the hash before it."""
    at: datetime = row["at"]
    return hash_under(
        key, "home", row["previous"], row["seq"], at.astimezone(UTC).isoformat(), row["kind"], row["facts"]
    )
