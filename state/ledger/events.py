"""The history of each number migration: append-only, and each keyed hash covers the hash before it.

The migration's row counts its events and holds the last hash; a trigger of the database writes both with each event,
and refuses one that does not follow. Events hold no phone number and no text of a customer, only a keyed reference:
what a customer is forgotten by is elsewhere, and the chain stays as it is.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import EventTable, HomeTable, MigrationTable
from state.record_key import GENESIS, RecordKey, hash_under, record_key_of

# Facts about a customer or its number. An event keeps a reference in their place, wherever they stand in its facts.
PERSONAL = frozenset(
    (
        "e164",
        "phone_number_id",
        "waba_id",
        "customer",
        "contact",
        "verified_name",
        "profile",
        "profile_not_carried",
        "not_carried",
        "changes",
    )
)


@dataclass(frozen=True, slots=True)
class Head:
    """How many events a chain has, and the hash of the last one."""

    events: int
    hash: str


# Made once: every step writes an event.
HEAD_COLUMNS = (MigrationTable.events, MigrationTable.events_head)
_HEAD = select(*HEAD_COLUMNS).where(MigrationTable.id == bindparam("migration_id"))
_APPEND = insert(EventTable)


def digest(
    key: RecordKey | None, previous: str, migration_id: int, seq: int, at: datetime, kind: str, facts: Mapping[str, Any]
) -> str:
    """Over the row and the hash before it: HMAC-SHA256, without a key SHA-256."""
    return hash_under(key, previous, migration_id, seq, at.astimezone(UTC).isoformat(), kind, facts)


async def append(
    tx: AsyncConnection,
    migration_id: int,
    at: datetime,
    kind: str,
    facts: Mapping[str, Any],
    head: Head | None = None,
) -> Head:
    """Add one event; returns the new head. The caller's transaction must have updated the migration's row before.

    That serialises writers. `head`: as that update returned it; without it, it is read.
    """
    if head is None:
        head = Head(*(await tx.execute(_HEAD, {"migration_id": migration_id})).one())
    key = record_key_of(tx)
    # The hash has to cover exactly what is read back later.
    plain = without_persons(key, json.loads(json.dumps(facts, default=str)))
    new = Head(head.events + 1, digest(key, head.hash, migration_id, head.events + 1, at, kind, plain))
    row = {
        "migration_pk": migration_id,
        "seq": new.events,
        "at": at,
        "kind": kind,
        "facts": plain,
        "previous": head.hash,
        "hash": new.hash,
    }
    await tx.execute(_APPEND, row)
    return new


async def begin_chains(tx: AsyncConnection, at: datetime, kind: str, facts: Mapping[int, Mapping[str, Any]]) -> None:
    """Add the first event of each of these migrations, which the caller's transaction has made: one statement."""
    key, rows = record_key_of(tx), []
    for migration_id, of_one in facts.items():
        plain = without_persons(key, json.loads(json.dumps(of_one, default=str)))
        new = digest(key, GENESIS, migration_id, 1, at, kind, plain)
        chain = {"migration_pk": migration_id, "seq": 1, "previous": GENESIS, "hash": new}
        rows.append(chain | {"at": at, "kind": kind, "facts": plain})
    if rows:
        await tx.execute(_APPEND, rows)


def without_persons(key: RecordKey | None, facts: Any) -> Any:
    """The facts with a reference in the place of each personal one; without a key it only says that there was one."""
    if isinstance(facts, list):
        return [without_persons(key, item) for item in facts]
    if not isinstance(facts, dict):
        return facts
    return {
        name: _reference(key, value) if name in PERSONAL and value else without_persons(key, value)
        for name, value in facts.items()
    }


def _reference(key: RecordKey | None, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return "ref:" if key is None else key.reference(text)


async def first_broken_link(tx: AsyncConnection, migration_id: int, last: int | None = None) -> int | None:
    """The sequence number of the first event that does not follow from the one before it, or None.

    `last`: only the last so many are looked at.

    One past the last event where events at the end are gone. Without the record's key only the links are checked;
    `cutover audit verify` checks the hashes.
    """
    key, expected = record_key_of(tx), Head(0, GENESIS)
    counted = (await tx.execute(_HEAD, {"migration_id": migration_id})).one_or_none()
    ours = select(EventTable.__table__).where(EventTable.migration_pk == migration_id).order_by(EventTable.seq)
    if last is not None and counted is not None and counted.events > last:
        before = counted.events - last
        ours = ours.where(EventTable.seq > before)
        known = select(EventTable.hash).where(EventTable.migration_pk == migration_id, EventTable.seq == before)
        expected = Head(before, (await tx.execute(known)).scalar_one_or_none() or "")
    rows = await tx.execute(ours)
    anchored = await tx.execute(select(MigrationTable.anchored_events).where(MigrationTable.id == migration_id))
    home = (await tx.execute(select(HomeTable.record_epoch, HomeTable.epoch))).one_or_none()
    # Until a key has begun, or has taken over what a restore brought, any event may be without it.
    pending = home is None or home.record_epoch is None or home.record_epoch < home.epoch
    keyed = home is not None and home.record_epoch is not None
    plain_until = math.inf if pending else anchored.scalar_one_or_none() or 0
    for row in map(dict, rows.mappings()):
        if (
            row["seq"] != expected.events + 1
            or row["previous"] != expected.hash
            or not _fits(key, row, plain_until, keyed=keyed)
        ):
            return int(row["seq"])
        expected = Head(row["seq"], row["hash"])
    if counted is not None and Head(*counted) != expected:
        return expected.events + 1
    return None


def _fits(key: RecordKey | None, row: Mapping[str, Any], plain_until: float, *, keyed: bool) -> bool:
    """Whether the hash is that of the row. `plain_until`: up to there it may be written without a key.

    `keyed`: others are under a key; without it their hashes cannot be tried.
    """
    parts = (row["previous"], row["migration_pk"], row["seq"], row["at"], row["kind"], row["facts"])
    if row["hash"] == digest(None, *parts):
        return bool(row["seq"] <= plain_until)
    return keyed if key is None else bool(row["hash"] == digest(key, *parts))
