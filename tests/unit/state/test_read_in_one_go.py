"""A read takes a connection, uses it and gives it back in one go, also where it fails or its caller is cancelled."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from state.database import open_database, read
from state.dry_run import open_dry_run

# So many rows that SQLite's are fetched in a thread, and PostgreSQL has to be waited for.
MANY = text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 100000) SELECT x FROM n")


def all_of(result: Any) -> Any:
    return result.all()


async def given_back(engine: Any) -> bool:
    """And the pool's connections still answer."""
    ones = [await read(engine, text("SELECT 1"), None, lambda result: result.scalar_one()) for _ in range(3)]
    return ones == [1, 1, 1] and engine.sync_engine.pool.checkedout() == 0


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_a_read_that_is_cancelled_gives_its_connection_back(database_url: str, turns: int) -> None:
    engine = open_database(database_url, pool_size=1)
    for _ in range(4):  # more than the pool has
        reading = asyncio.ensure_future(read(engine, MANY, None, all_of))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert await given_back(engine)
    await engine.dispose()


async def test_a_read_that_fails_gives_its_connection_back(database_url: str) -> None:
    engine = open_database(database_url, pool_size=1)
    for _ in range(4):
        with pytest.raises(Exception, match="no_such_table"):
            await read(engine, text("SELECT x FROM no_such_table"), None, all_of)
    assert await given_back(engine)
    await engine.dispose()


async def test_a_dry_run_reads_what_it_has_written(database_url: str) -> None:
    engine = open_database(database_url)
    async with open_dry_run(engine) as rehearsal:
        async with rehearsal.begin() as tx:
            await tx.execute(text("UPDATE counters SET value = 4711"))
        values = await read(rehearsal, text("SELECT DISTINCT value FROM counters"), None, lambda r: r.scalars().all())
    assert values == [4711]
    await engine.dispose()
