"""Field facts and dispositions: rows that show what is so now. The home's events say what each of them has to be.

An event keeps a keyed reference over the whole row, so that it holds no text of a customer and any change is noticed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.ledger import home_events
from state.ledger.inserting import chunks
from state.models import FieldFactTable, HomeEventTable, NumberTable
from state.record_key import RecordKey, record_key_of
from state.types import SqlClock

TAKEN_OVER = "rows_taken_over"
FACT_STATED, FACT_REFUTED = "fact_stated", "fact_refuted"
IDS_CORRECTED = "ids_corrected"  # calls made under a number's earlier id stay under it
DISPOSED, TAKEN_UP_AGAIN = "disposed", "taken_up_again"
FACTS, DISPOSITIONS = "field_facts", "dispositions"

Rows = dict[str, dict[str, str | None]]  # by table: a fact's name or a number's reference, and that of its row

_FACT = (
    FieldFactTable.name,
    FieldFactTable.value,
    FieldFactTable.measured_at,
    FieldFactTable.measured_by,
    FieldFactTable.evidence,
    FieldFactTable.refuted_at,
    FieldFactTable.refuted_by,
)
_DISPOSITION = (
    NumberTable.ref,
    NumberTable.disposition,
    NumberTable.disposition_at,
    NumberTable.disposition_by,
    NumberTable.disposition_reason,
    NumberTable.disposition_evidence,
)


async def note_fact(tx: AsyncConnection, clock: SqlClock, kind: str, name: str) -> None:
    """In the transaction that has written the fact."""
    row = (await tx.execute(select(*_FACT).where(FieldFactTable.name == name))).one()
    rows = {FACTS: {name: _reference(record_key_of(tx), row)}}
    facts = {"fact": name, "value": row.value, "by": row.measured_by, "rows": rows}
    await home_events.append(tx, clock, kind, facts)


async def note_ids(tx: AsyncConnection, clock: SqlClock, earlier: Mapping[str, str]) -> None:
    """In the transaction that gives numbers other ids of Graph. `earlier`: of each, by the number's reference."""
    key = record_key_of(tx)
    if earlier and key is not None:
        references = {ref: key.reference(phone_number_id) for ref, phone_number_id in earlier.items()}
        await home_events.append(tx, clock, IDS_CORRECTED, {"earlier": references})


def earlier_ids(events: Iterable[RowMapping]) -> frozenset[tuple[str, str]]:
    """Numbers, and references of ids that they had before."""
    corrected = (event["facts"]["earlier"] for event in events if event["kind"] == IDS_CORRECTED)
    return frozenset(pair for earlier in corrected for pair in earlier.items())


async def note_dispositions(tx: AsyncConnection, clock: SqlClock, kind: str, number_ids: Sequence[int]) -> None:
    """In the transaction that has changed them; one event for all of these numbers."""
    rows = await disposition_references(tx, number_ids)
    if rows:
        await home_events.append(tx, clock, kind, {"numbers": sorted(rows), "rows": {DISPOSITIONS: rows}})


async def disposition_references(tx: AsyncConnection, number_ids: Sequence[int]) -> dict[str, str | None]:
    """By the reference of each of these numbers; None where it has no disposition."""
    key, found = record_key_of(tx), {}
    for part in chunks(number_ids):
        for row in await tx.execute(select(*_DISPOSITION).where(NumberTable.id.in_(part))):
            found[str(row.ref)] = _reference(key, row) if row.disposition is not None else None
    return found


async def rows_now(connection: AsyncConnection, key: RecordKey | None) -> Rows:
    """All of them as they stand in their tables."""
    facts = await connection.execute(select(*_FACT))
    disposed = await connection.execute(select(*_DISPOSITION).where(NumberTable.disposition.is_not(None)))
    return {
        FACTS: {str(row.name): _reference(key, row) for row in facts},
        DISPOSITIONS: {str(row.ref): _reference(key, row) for row in disposed},
    }


def rows_of_events(events: Iterable[RowMapping]) -> Rows | None:
    """What the home's events say of them, in order; None where they were never taken over."""
    rows: Rows | None = None
    for event in events:
        changed = event["facts"].get("rows")
        if changed is None:
            continue
        if event["kind"] == TAKEN_OVER:
            rows = {FACTS: {}, DISPOSITIONS: {}}
        if rows is not None:
            for table, its_rows in changed.items():
                rows[table] |= its_rows
    return rows


async def take_over_rows(tx: AsyncConnection, clock: SqlClock, key: RecordKey) -> None:
    """Once under each key: at an upgrade, or where the key before it was lost.

    Not after a restore: it brings the events of the rows that it brings.
    """
    taken = await tx.execute(select(HomeEventTable.__table__).where(HomeEventTable.kind == TAKEN_OVER))
    if not any(row["hash"] == home_events.digest(key, dict(row)) for row in taken.mappings()):
        await home_events.append(tx, clock, TAKEN_OVER, {"rows": await rows_now(tx, key)})


def never_taken_over() -> Any:
    return ~select(HomeEventTable.id).where(HomeEventTable.kind == TAKEN_OVER).exists()


def _reference(key: RecordKey | None, row: Sequence[Any]) -> str:
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in row]
    return "ref:" if key is None else key.reference(json.dumps(plain, sort_keys=True))
