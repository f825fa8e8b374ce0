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
    record = await check_record(app.database)
    if app.anchors is not None:
        anchor = app.anchors.anchor
        if not await asyncio.to_thread(anchor.path.exists):
            record.add(str(anchor.path), "the anchors are gone: nothing says how far the chains had come")
        compare(record, await asyncio.to_thread(anchor.read), str(anchor.path))
    return record


def compare(record: CheckedRecord, anchored: Replayed, path: str) -> None:
    if anchored.bad_line is not None:
        record.add(f"{path}, line {anchored.bad_line}", "it was changed, or a line before it was")
    if anchored.epoch is not None and anchored.epoch != (record.epoch, record.mark) and not record.pending:
        what = f"epoch {anchored.epoch[0]} was anchored at {anchored.at}, the database is of another one"
        record.add("the home", f"{what}: was an older copy put in its place?")
    if anchored.epoch != (record.epoch, record.mark):
        return
    reported = {problem.place.split(",")[0] for problem in record.problems}
    for name, (count, head) in anchored.chains.items():
        links = record.chains.get(name)
        label = record.labels.get(name, f"chain {name}")
        if links is None or not links:
            record.add(label, f"the whole chain is gone: {count} events were anchored by {anchored.at}")
        elif links.get(count) != head and label not in reported:
            place = f"{label}, event {min(count, max(links) + 1)}"
            record.add(
                place, f"{count} events were anchored by {anchored.at}, and this is another chain or a shorter one"
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
