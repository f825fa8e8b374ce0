"""Takes chains over as they are found: at an upgrade from a release without keyed hashes, and after a restore.

From then on each migration's row holds a keyed hash over its head. What is before it may have been written without the
key, and cannot be changed without being noticed any more.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.ledger import home_events, recorded_rows
from state.models import (
    BudgetCallTable,
    EventTable,
    HomeEventTable,
    HomeTable,
    MigrationTable,
    WaveEventTable,
    WaveTable,
)
from state.record_key import RecordKey, record_key_of
from state.types import SqlClock

TAKEN_OVER = "taken_over"
CALLS_HANDED_IN = "calls_handed_in"


Anchored = Mapping[str, Mapping[int, str]]  # name of a chain to the hash of each of its events that was anchored


async def take_over_chains(engine: AsyncEngine, clock: SqlClock, anchored: Callable[[], Anchored] = dict) -> bool:
    """Once in each epoch of the home. False where it was done before, or where the engine has no key.

    `anchored`: how far the chains had come by the anchors. What is behind it now stands in the record: a restore
    loses events, and so does whoever only says that there was one.
    """
    key = record_key_of(engine)
    if key is None:
        return False
    async with engine.connect() as connection:
        needed = or_(_not_yet(), recorded_rows.never_taken_over())
        if not (await connection.execute(select(HomeTable.id).where(needed))).all():
            return False
    async with engine.begin() as tx:
        begun = await _take_over(tx, key, clock, anchored)
        await recorded_rows.take_over_rows(tx, clock, key)
    return begun


async def _take_over(tx: AsyncConnection, key: RecordKey, clock: SqlClock, anchored: Callable[[], Anchored]) -> bool:
    """The chains; False where it was done before."""
    begun = update(HomeTable).where(_not_yet()).values(record_epoch=HomeTable.epoch)
    home = (await tx.execute(begun.returning(HomeTable.epoch, HomeTable.epoch_mark))).one_or_none()
    earlier = await _taken_over_with(tx, key)
    if home is None or (home.epoch, home.epoch_mark) in earlier:
        return False  # another process was first; or it was, and somebody has only said that it was not
    facts = {
        "epoch": home.epoch,
        "mark": home.epoch_mark,
        "new_key": not earlier,
        **await _against_anchors(tx, anchored(), home.epoch_mark),
        **await _anchor_all(tx, key),
    }
    await home_events.append(tx, clock, TAKEN_OVER, facts)
    return True


async def _taken_over_with(tx: AsyncConnection, key: RecordKey) -> set[tuple[int, str | None]]:
    """The epochs, with their marks, whose chains this key has taken over."""
    rows = await tx.execute(select(HomeEventTable.__table__).where(HomeEventTable.kind == TAKEN_OVER))
    events = [dict(row) for row in rows.mappings()]
    ours = [event["facts"] for event in events if event["hash"] == home_events.digest(key, event)]
    return {(facts["epoch"], facts["mark"]) for facts in ours}


async def _against_anchors(tx: AsyncConnection, anchored: Anchored, mark: str | None) -> dict[str, Any]:
    """`behind`: chains of numbers that lack the event up to which they were anchored: its number, how many there are.

    `changed`: those in which another event stands in its place, by the number of the first. A restore loses events, and
    changes none: what differs before its own event was written by somebody else.
    """
    behind: dict[str, list[int]] = {}
    changed: dict[str, int] = {}
    rows = await _links(tx) if anchored else {}
    for name, links in anchored.items():
        if not name.startswith("m"):
            continue
        chain = rows.get(name, [])
        wrong = sorted(count for count, head in links.items() if count > len(chain) or chain[count - 1].hash != head)
        if wrong:
            behind[name] = [max(links), len(chain)]
            restored = [row.seq for row in chain if row.kind == "restored" and row.facts.get("mark") == mark]
            last = min(restored, default=len(chain) + 1)
            if wrong[0] < last:
                changed[name] = wrong[0]
    return {"behind": behind, "changed": changed}


async def _links(tx: AsyncConnection) -> dict[str, list[Any]]:
    """The events of each number's chain, in order."""
    columns = (EventTable.migration_pk, EventTable.seq, EventTable.hash, EventTable.kind, EventTable.facts)
    found: dict[str, list[Any]] = {}
    for row in await tx.execute(select(*columns).order_by(EventTable.migration_pk, EventTable.seq)):
        found.setdefault(f"m{row.migration_pk}", []).append(row)
    return found


def _not_yet() -> Any:
    return or_(HomeTable.record_epoch.is_(None), HomeTable.record_epoch < HomeTable.epoch)


async def _anchor_all(tx: AsyncConnection, key: RecordKey) -> Mapping[str, Any]:
    rows = (await tx.execute(select(MigrationTable.id, MigrationTable.events, MigrationTable.events_head))).all()
    if rows:
        table = MigrationTable.__table__
        anchored = update(table).where(table.c.id == bindparam("migration_id"))
        values: dict[str, Any] = {"anchored_events": bindparam("count"), "anchor": bindparam("value")}
        await tx.execute(
            anchored.values(values),
            [{"migration_id": row.id, "count": row.events, "value": anchor_of(key, *row)} for row in rows],
        )
    unhashed = await tx.execute(unhashed_decisions())
    waves = await tx.execute(select(WaveTable.id, WaveTable.events, WaveTable.events_head))
    calls = await tx.execute(select(*CALL_COLUMNS).where(BudgetCallTable.attempt_pk.is_(None)))
    return {
        "migrations": len(rows),
        "events": sum(row.events for row in rows),
        "waves": {str(row.id): [row.events, row.events_head] for row in waves},
        "decisions": digest_of(map(tuple, unhashed.all())),
        "calls": call_references(key, calls.all()),
    }


def anchor_of(key: RecordKey, migration_id: int, count: int, head: str) -> str:
    return key.hash("anchor", migration_id, count, head)


def unhashed_decisions() -> Any:
    """Decisions about waves of a release that did not hash them."""
    columns = ("wave_pk", "at", "kind", "decided_by", "because", "facts")
    return (
        select(*(getattr(WaveEventTable, name) for name in columns))
        .where(WaveEventTable.seq.is_(None))
        .order_by(WaveEventTable.id)
    )


def digest_of(rows: Iterable[Sequence[Any]]) -> str:
    plain = [[value.isoformat() if hasattr(value, "isoformat") else value for value in row] for row in rows]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


# -- calls that belong to no attempt: made before the import, or counted as made after a restore

CALL_COLUMNS = (
    BudgetCallTable.phone_number_id,
    BudgetCallTable.call,
    BudgetCallTable.at,
    BudgetCallTable.before_import,
)


def call_references(key: RecordKey | None, calls: Iterable[Sequence[Any]]) -> list[str]:
    """One for each call, sorted; equal calls have equal ones."""
    if key is None:
        return ["ref:" for _ in calls]
    found = [[number_reference(key, number), call, at.isoformat(), bool(before)] for number, call, at, before in calls]
    return sorted(key.reference(json.dumps(one)) for one in found)


def number_reference(key: RecordKey, phone_number_id: str) -> str:
    """The reference of a number's id, also where a forgotten customer has left only that."""
    return phone_number_id if phone_number_id.startswith("ref:") else key.reference(phone_number_id)


async def note_calls(tx: AsyncConnection, clock: SqlClock, calls: Sequence[Mapping[str, Any]]) -> None:
    """Calls of an import, in its transaction."""
    if calls:
        rows = [(call["phone_number_id"], call["call"], call["at"], call["before_import"]) for call in calls]
        await home_events.append(tx, clock, CALLS_HANDED_IN, {"calls": call_references(record_key_of(tx), rows)})
