"""What a read costs PostgreSQL: one round trip, and no transaction that is thrown away."""

from typing import Any

import pytest
from sqlalchemy import event, text

from state.database import open_database
from state.queries.queries import Queries
from state.types import DatabaseClock

pytestmark = pytest.mark.postgres


async def test_a_read_is_no_transaction_that_is_thrown_away(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    in_transaction: list[bool] = []

    def note(connection: Any, *_: Any) -> None:
        in_transaction.append(connection.connection.driver_connection.is_in_transaction())

    event.listen(engine.sync_engine, "after_cursor_execute", note)
    queries = Queries(engine, DatabaseClock(), lambda holder: False)
    await queries.positions.board()
    await queries.now()
    assert in_transaction == [False, False]
    async with engine.begin() as tx:
        await tx.execute(text("UPDATE counters SET value = value"))
    assert in_transaction[2:] == [True]
    await engine.dispose()


async def test_a_connection_that_the_server_has_closed_is_replaced(postgres_url: str) -> None:
    engine, other = open_database(postgres_url, tried_after_s=0.0), open_database(postgres_url)
    queries = Queries(engine, DatabaseClock(), lambda holder: False)
    await queries.positions.board()
    async with other.connect() as killer:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        await killer.execute(text(f"{others} WHERE datname = current_database() AND pid <> pg_backend_pid()"))
    assert await queries.positions.board() == ()
    await engine.dispose()
    await other.dispose()
