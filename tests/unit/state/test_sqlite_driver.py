"""SQLite's driver: when a transaction begins, who waits for whom, and what a cancelled one leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import open_database, read
from state.errors import DatabaseBusy

RAISE = text("UPDATE counters SET value = value + 1 WHERE name = 'numbers'")
VALUE = text("SELECT value FROM counters WHERE name = 'numbers'")


@pytest.fixture
async def engine(sqlite_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_database(sqlite_url, patience_s=5)
    yield engine
    await engine.dispose()


async def _value(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(VALUE)).scalar_one())


async def test_a_reader_holds_up_no_writer_and_sees_what_was_committed(engine: AsyncEngine) -> None:
    before = await _value(engine)
    async with engine.connect() as reader, engine.begin() as writer:
        await reader.execute(VALUE)
        await writer.execute(RAISE)
        assert (await reader.execute(VALUE)).scalar_one() == before
    assert await _value(engine) == before + 1


async def test_writers_of_one_process_wait_for_each_other_and_lose_nothing(engine: AsyncEngine) -> None:
    before = await _value(engine)

    async def write() -> None:
        async with engine.begin() as tx:
            value = (await tx.execute(text("SELECT 1"))).scalar_one()
            await tx.execute(RAISE)
            await asyncio.sleep(0)
            assert value == 1

    await asyncio.gather(*(write() for _ in range(40)))
    assert await _value(engine) == before + 40


async def test_writers_of_two_processes_wait_for_each_other(engine: AsyncEngine, sqlite_url: str) -> None:
    other = open_database(sqlite_url, patience_s=5)
    before = await _value(engine)

    async def write(whose: AsyncEngine) -> None:
        async with whose.begin() as tx:
            await tx.execute(RAISE)
            await asyncio.sleep(0)

    await asyncio.gather(*(write(whose) for _ in range(20) for whose in (engine, other)))
    assert await _value(engine) == before + 40
    await other.dispose()


async def test_an_error_takes_the_transaction_back_and_the_next_writer_gets_the_lock(engine: AsyncEngine) -> None:
    before = await _value(engine)
    with suppress(RuntimeError):
        async with engine.begin() as tx:
            await tx.execute(RAISE)
            raise RuntimeError
    async with engine.begin() as tx:
        await tx.execute(RAISE)
    assert await _value(engine) == before + 1


async def test_a_writer_that_was_cancelled_leaves_the_lock_to_the_next(engine: AsyncEngine) -> None:
    before, began = await _value(engine), asyncio.Event()

    async def hang() -> None:
        async with engine.begin() as tx:
            await tx.execute(RAISE)
            began.set()
            await asyncio.Event().wait()

    hanging = asyncio.ensure_future(hang())
    await began.wait()
    hanging.cancel()
    await asyncio.wait([hanging])
    async with engine.begin() as tx:
        await tx.execute(RAISE)
    assert await _value(engine) == before + 1


async def test_one_that_was_cancelled_while_it_waited_takes_no_turn(engine: AsyncEngine) -> None:
    before = await _value(engine)

    async def write() -> None:
        async with engine.begin() as tx:
            await tx.execute(RAISE)

    async with engine.begin() as tx:
        await tx.execute(RAISE)
        waiting = asyncio.ensure_future(write())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await write()
    assert await _value(engine) == before + 2


async def test_a_lock_of_this_process_that_is_kept_for_too_long_is_an_error_of_ours(sqlite_url: str) -> None:
    engine = open_database(sqlite_url, patience_s=0.05)
    async with engine.begin() as tx:
        await tx.execute(RAISE)
        with pytest.raises(DatabaseBusy):
            async with engine.begin() as other:
                await other.execute(RAISE)
    await engine.dispose()


async def test_many_rows_come_back_whole_and_in_order(engine: AsyncEngine) -> None:
    query = text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000) SELECT x FROM n")
    async with engine.connect() as connection, engine.begin() as writer:
        await writer.execute(RAISE)  # a WITH that only reads waits for no writer
        assert list((await connection.execute(query)).scalars()) == list(range(1, 1001))


async def test_many_rows_are_written_in_one_transaction(engine: AsyncEngine) -> None:
    rows = [{"name": f"n{place}", "value": place} for place in range(1000)]
    with suppress(RuntimeError):
        async with engine.begin() as tx:
            await tx.execute(text("INSERT INTO counters (name, value) VALUES (:name, :value)"), rows)
            raise RuntimeError
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM counters WHERE name LIKE 'n_'"))).scalar_one() == 0


async def test_a_commit_waits_for_the_disk(engine: AsyncEngine) -> None:
    """An intent must be on the disk before its call is sent."""
    async with engine.connect() as connection:
        assert (await connection.execute(text("PRAGMA synchronous"))).scalar_one() == 2
        assert (await connection.execute(text("PRAGMA journal_mode"))).scalar_one() == "wal"
        assert (await connection.execute(text("PRAGMA foreign_keys"))).scalar_one() == 1


async def test_a_read_of_the_whole_fleet_keeps_nobody_waiting(engine: AsyncEngine) -> None:
    """A worker's loop has numbers that are dark, and a page's loop has other people's pages."""
    went_on = threading.Event()

    def add_function(connection: Any, _record: Any) -> None:
        connection.driver_connection.raw.create_function("loop_went_on", 0, lambda: int(went_on.wait(10)))

    event.listen(engine.sync_engine, "connect", add_function)
    asyncio.get_running_loop().call_soon(went_on.set)
    query = text("SELECT loop_went_on()")
    assert await read(engine, query, None, lambda result: result.scalar_one(), long=True) == 1
