"""`cutover audit`: is the record whole, in the database and beside what was anchored outside of it?"""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import select

from migration.app import App
from migration.home.record_anchor import Replayed
from state.models import BudgetCallTable, EventTable, HomeEventTable, WaveEventTable
from state.queries.record_check import CheckedRecord, check_record


async def verify_record(app: App) -> CheckedRecord:
    """The database's own chains, then what was anchored of them outside of it."""
    anchored, path = None, None if app.anchors is None else app.anchors.anchor.path
    if app.anchors is not None and await asyncio.to_thread(app.anchors.anchor.path.exists):
        # Before the database: workers may add events and anchor them meanwhile.
        anchored = await asyncio.to_thread(app.anchors.anchor.read_all)
    record = await check_record(app.database)
    if anchored is not None:
        compare(record, anchored, str(path))
    elif path is not None:
        record.add(str(path), "the anchors are gone: nothing says how far the chains had come")
    return record


def compare(record: CheckedRecord, anchored: Replayed, path: str) -> None:
    """`anchored`: what `RecordAnchor.read_all` gives."""
    if anchored.bad_line is not None:
        record.add(f"{path}, line {anchored.bad_line}", "it was changed, or a line before it was")
    elif anchored.lost_key_line is not None and not record.lost and not record.pending:
        record.add(f"{path}, line {anchored.lost_key_line}", "it is of another key, and no key of this record was lost")
    elif anchored.epoch is None and not record.pending:
        record.add(path, "no line at its end says how far the chains had come")
    if anchored.epoch is not None and anchored.epoch != (record.epoch, record.mark) and not record.pending:
        what = f"epoch {anchored.epoch[0]} was anchored at {anchored.at}, the database is of another one"
        record.add("the home", f"{what}: was an older copy put in its place?")
    if anchored.epoch != (record.epoch, record.mark):
        return
    reported = {problem.place.split(",")[0] for problem in record.problems}
    for name, anchored_links in (anchored.every or {}).items():
        links = record.chains.get(name)
        label = record.labels.get(name, f"chain {name}")
        wrong = min((count for count, head in anchored_links.items() if (links or {}).get(count) != head), default=None)
        if not links:
            last = max(anchored_links)
            record.add(label, f"the whole chain is gone: {last} events were anchored by {anchored.at}")
        elif wrong is not None and label not in reported:
            place = f"{label}, event {min(wrong, max(links) + 1)}"
            record.add(
                place, f"{wrong} events were anchored by {anchored.at}, and this is another chain or a shorter one"
            )


async def export_lines(app: App) -> AsyncIterator[dict[str, Any]]:
    """Every event of every chain, then how far each chain has come. Numbers and customers are references in it."""
    tables: tuple[Any, ...] = (EventTable, WaveEventTable, HomeEventTable, BudgetCallTable)
    async with app.database.connect() as connection:
        for table in tables:
            rows = await connection.stream(select(table.__table__).order_by(table.id))
            async for row in rows.mappings():
                yield {"table": table.__tablename__} | json.loads(json.dumps(dict(row), default=_plain))
    heads = await app.queries.heads.read()
    yield {"table": "heads", "home": heads.home_id, "epoch": heads.epoch, "chains": dict(heads.chains)}


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
