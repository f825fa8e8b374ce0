"""Connects alembic to a database as the product does. The revisions are in `versions`.

    alembic -x url=sqlite+aiosqlite:///cutover.db upgrade head

All revisions run in one transaction, on SQLite too, and one at a time: a second run waits for the first.
"""

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from state.database import open_database
from state.declaring import complete_indexes
from state.models import Base
from state.types import UtcDateTime

# Key of the advisory lock: any number that nothing else locks in the same database.
ONE_AT_A_TIME = 7_203_551_948


def url() -> str:
    """The database: from `state.schema`, or from -x url=... on alembic's command line."""
    database_url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if database_url is None:
        raise SystemExit("say which database: alembic -x url=sqlite+aiosqlite:///cutover.db ...")
    return str(database_url)


def lock(connection: Connection) -> None:
    """Begin the one transaction and keep every other run out of it."""
    if connection.dialect.name == "sqlite":
        # Rebuilding a table drops the old one; with foreign keys on, rows that point to it would go too.
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    # A revision that waits for a lock makes every worker wait behind it, so it gives up after 10 s.
    connection.exec_driver_sql("SET LOCAL lock_timeout = '10s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_AT_A_TIME})")


def render(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our time type as its database type, because a revision imports nothing of ours."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run(connection: Connection) -> None:
    lock(connection)
    run_within(connection)
    connection.commit()


def run_within(connection: Connection) -> None:
    """In the transaction that the connection is in."""
    complete_indexes(Base.metadata)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
        render_item=render,
    )
    with context.begin_transaction():
        context.run_migrations()


async def connect() -> None:
    engine = open_database(url(), limits=False)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    run_within(given)
else:
    asyncio.run(connect())
