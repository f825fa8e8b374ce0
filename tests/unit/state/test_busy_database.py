"""A lock that another process holds for too long, and what a statement that waits for it becomes."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from state.database import POSTGRES_LIMITS, is_database_error, open_database
from state.database_errors import translate_errors
from state.errors import DatabaseBusy
from tests.harness.waiting import wait_for

HOLD = text("UPDATE number_migrations SET epoch = epoch + 1")


async def test_sqlite_s_lock_of_another_process_is_an_error_of_ours(sqlite_url: str) -> None:
    first, second = open_database(sqlite_url), open_database(sqlite_url, patience_s=0.05)
    async with first.connect() as holder, second.connect() as waiter:
        await holder.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseBusy, match="held the database's lock for too long") as caught:
            await waiter.execute(HOLD)
        assert is_database_error(caught.value)
    await first.dispose()
    await second.dispose()


# -- PostgreSQL


@pytest.fixture
async def impatient(postgres_url: str) -> AsyncIterator[AsyncEngine]:
    """Its connections have the limits of ours, and wait less."""
    limits = dict.fromkeys(POSTGRES_LIMITS, "2000") | {"lock_timeout": "200"}
    engine = create_async_engine(postgres_url, connect_args={"server_settings": limits})
    translate_errors(engine.sync_engine)
    yield engine
    await engine.dispose()


@pytest.mark.postgres
async def test_every_connection_to_postgresql_has_its_limits(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    async with engine.connect() as connection:
        for name, milliseconds in POSTGRES_LIMITS.items():
            query = text("SELECT setting FROM pg_settings WHERE name = :name")
            assert (await connection.execute(query, {"name": name})).scalar_one() == milliseconds
    await engine.dispose()


@pytest.mark.postgres
async def test_a_row_that_stays_locked_is_an_error_of_ours(postgres_url: str, impatient: AsyncEngine) -> None:
    holder = open_database(postgres_url)
    async with holder.begin() as tx:
        await tx.execute(text("LOCK TABLE counters"))
        with pytest.raises(DatabaseBusy, match="for longer than"):
            async with impatient.begin() as waiting:
                await waiting.execute(text("UPDATE counters SET value = value"))
    await holder.dispose()


@pytest.mark.postgres
async def test_a_statement_that_takes_too_long_is_an_error_of_ours(impatient: AsyncEngine) -> None:
    with pytest.raises(DatabaseBusy, match="longer than it may"):
        async with impatient.connect() as connection:
            await connection.execute(text("SELECT pg_sleep(5)"))


@pytest.mark.postgres
async def test_a_transaction_that_is_left_open_is_ended_and_becomes_an_error_of_ours(postgres_url: str) -> None:
    """Its worker is suspended: the others get its rows, and it learns of it when it goes on."""
    settings = {**POSTGRES_LIMITS, "idle_in_transaction_session_timeout": "100"}
    engine = create_async_engine(postgres_url, connect_args={"server_settings": settings}, pool_pre_ping=True)
    translate_errors(engine.sync_engine)
    other, change = open_database(postgres_url), text("UPDATE counters SET value = value + 1")
    caught: Exception | None = None
    try:
        async with engine.begin() as left_open:
            pid = (await left_open.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await left_open.execute(change)

            async def is_ended() -> bool:
                async with other.connect() as connection:
                    query = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
                    return bool((await connection.execute(query, {"pid": pid})).scalar_one() == 0)

            await wait_for(is_ended, "the server ends the transaction", within_s=20)
            await left_open.execute(change)
    except (DatabaseBusy, DBAPIError) as exc:  # by whether the reason was read, or only the closed socket
        caught = exc
    assert caught is not None
    assert is_database_error(caught)
    async with engine.begin() as again:
        await again.execute(change)
    await engine.dispose()
    await other.dispose()


@pytest.mark.postgres
async def test_two_that_wait_for_each_other_become_one_error_of_ours(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    began = asyncio.Barrier(2)

    async def change(first: str, then: str) -> None:
        async with engine.begin() as tx:
            await tx.execute(text("UPDATE counters SET value = value WHERE name = :name"), {"name": first})
            await began.wait()
            await tx.execute(text("UPDATE counters SET value = value WHERE name = :name"), {"name": then})

    results = await asyncio.gather(
        change("numbers", "instances"), change("instances", "numbers"), return_exceptions=True
    )
    assert [type(result) for result in results if result is not None] == [DatabaseBusy]
    await engine.dispose()


@pytest.mark.postgres
async def test_a_writer_of_rows_that_were_changed_meanwhile_gets_an_error_of_ours(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    async with engine.connect() as late:
        await late.execution_options(isolation_level="REPEATABLE READ")
        await late.execute(text("SELECT value FROM counters"))
        async with engine.begin() as tx:
            await tx.execute(text("UPDATE counters SET value = value + 1"))
        with pytest.raises(DatabaseBusy, match="at once"):
            await late.execute(text("UPDATE counters SET value = value + 1"))
    await engine.dispose()


def test_other_errors_of_the_database_stay_as_they_are() -> None:
    assert is_database_error(OperationalError("SELECT", {}, Exception("disk I/O error")))
