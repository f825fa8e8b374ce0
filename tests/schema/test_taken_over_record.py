"""The record of an older release: taken over at the first opening, and from then on no change of it stays unseen."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from state import schema
from state.queries.record_check import check_record
from state.triggers import without_triggers
from tests.schema.old_database import SCENES, OldDatabase

CHANGES = {
    "a fact": "UPDATE events SET kind = 'other' WHERE id = (SELECT min(id) FROM events)",
    "the end": "DELETE FROM events WHERE id = (SELECT max(id) FROM events)",
    "an attempt": "DELETE FROM attempts WHERE id = (SELECT min(id) FROM attempts)",
    "what became of an attempt": "UPDATE attempts SET ended = 'not done', ended_at = opened_at",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_an_old_record_is_anchored_and_kept(tmp_path: Path, change: str) -> None:
    old = OldDatabase(SCENES[0])
    url = old.restore_sqlite(tmp_path / "old.db")
    await schema.upgrade(url)
    harness = await old.restore_world(url, tmp_path / "home")
    async with harness.worker() as app:
        async with app.database.connect() as connection:
            assert (await connection.execute(text("SELECT count(*) FROM events"))).scalar_one() > 0
            assert (
                await connection.execute(text("SELECT count(*) FROM home_events"))
            ).scalar_one() == 2  # its chains and its rows
        assert (await check_record(app.database)).problems == []

        def tamper(connection: Connection) -> None:
            with without_triggers(connection):
                connection.exec_driver_sql(CHANGES[change])

        async with app.database.begin() as tx:
            await tx.run_sync(tamper)
        assert (await check_record(app.database)).problems
