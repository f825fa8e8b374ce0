"""What a read costs PostgreSQL: one round trip, and no transaction that is thrown away."""

from typing import Any

import pytest
from sqlalchemy import event, text

from state.database import open_database
from state.errors import DatabaseAway
from state.queries.queries import Queries
from state.types import DatabaseClock
from tests.harness.postgres import PostgresServer

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


@pytest.mark.parametrize(
    ("user", "name", "said"), [("postgres", "no_such", "database"), ("nobody", "postgres", "role")]
)
async def test_a_server_that_does_not_let_us_in_is_away(
    postgres_server: PostgresServer, user: str, name: str, said: str
) -> None:
    """A password that was changed, a database that is not there: one line, and a worker waits for whoever mends it."""
    engine = open_database(f"postgresql+asyncpg://{user}@/{name}?host={postgres_server.host}")
    with pytest.raises(DatabaseAway, match=f'{said} ".*" does not exist'):
        async with engine.connect():
            pass
    await engine.dispose()


async def test_a_file_of_certificates_that_is_not_there_is_said(
    postgres_server: PostgresServer, monkeypatch: Any
) -> None:
    monkeypatch.setenv("PGSSLROOTCERT", "/nowhere/root.crt")
    engine = open_database("postgresql+asyncpg://u@127.0.0.1:9/fleet?ssl=verify-ca")
    with pytest.raises(DatabaseAway):
        async with engine.connect():
            pass
    await engine.dispose()
