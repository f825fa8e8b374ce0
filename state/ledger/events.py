"""The history of each number migration: append-only, and each hash covers the hash before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import EventTable

GENESIS = "0" * 64

# Made once: every step writes an event.
_LAST = (
    select(EventTable.seq, EventTable.hash)
    .where(EventTable.migration_pk == bindparam("migration_id"))
    .order_by(EventTable.seq.desc())
    .limit(1)
)
_APPEND = insert(EventTable)


def digest(previous: str, migration_id: int, seq: int, at: datetime, kind: str, facts: Mapping[str, Any]) -> str:
    """SHA-256 over the row and the hash before it."""
    body = [previous, migration_id, seq, at.astimezone(UTC).isoformat(), kind, facts]
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def append(tx: AsyncConnection, migration_id: int, at: datetime, kind: str, facts: Mapping[str, Any]) -> None:
    """Add one event. The caller's transaction must have updated the migration's row, which serialises writers."""
    last = (await tx.execute(_LAST, {"migration_id": migration_id})).first()
    seq, previous = (last.seq + 1, last.hash) if last else (1, GENESIS)
    plain = json.loads(json.dumps(facts, default=str))  # the hash has to cover exactly what is read back later
    row = {
        "migration_pk": migration_id,
        "seq": seq,
        "at": at,
        "kind": kind,
        "facts": plain,
        "previous": previous,
        "hash": digest(previous, migration_id, seq, at, kind, plain),
    }
    await tx.execute(_APPEND, row)


async def first_broken_link(tx: AsyncConnection, migration_id: int) -> int | None:
    """The sequence number of the first event that does not follow from the one before it, or None."""
    previous, expected = GENESIS, 1
    rows = await tx.execute(
        select(EventTable.__table__).where(EventTable.migration_pk == migration_id).order_by(EventTable.seq)
    )
    for row in rows.mappings():
        expected_hash = digest(previous, migration_id, row["seq"], row["at"], row["kind"], row["facts"])
        if row["seq"] != expected or row["previous"] != previous or row["hash"] != expected_hash:
            return int(row["seq"])
        previous, expected = row["hash"], expected + 1
    return None
