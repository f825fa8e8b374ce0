"""The only place that makes SQLAlchemy engines."""

from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from state.database_errors import translate_errors
from state.errors import DatabaseBusy
from state.sqlite_driver import SqliteFile

# Milliseconds. A statement of ours takes milliseconds, a report of a large fleet seconds. What waits longer waits for a
# process that is suspended inside a write, and a transaction that stays open keeps everybody else from its rows.
# https://www.postgresql.org/docs/current/runtime-config-client.html
POSTGRES_LIMITS = {
    "lock_timeout": "30000",
    "statement_timeout": "60000",
    "idle_in_transaction_session_timeout": "60000",
}


# Seconds that a writer waits for SQLite's one lock before the lock counts as held for too long.
SQLITE_PATIENCE = 30.0


def open_database(
    url: str, *, pool_size: int = 5, limits: bool = True, patience_s: float = SQLITE_PATIENCE
) -> AsyncEngine:
    """An engine for SQLite (WAL, foreign keys on, waits up to `patience_s` for a lock) or PostgreSQL.

    `limits` off: for changes of the schema, which may take as long as they need on PostgreSQL.
    Its statements raise AlreadyThere and DatabaseBusy beside SQLAlchemy's errors.
    """
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            connect_args={"async_creator_fn": SqliteFile(patience_s).connect, "timeout": SQLITE_PATIENCE},
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
    else:
        settings = {"server_settings": POSTGRES_LIMITS} if limits else {}
        engine = create_async_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args=settings,
            hide_parameters=True,
        )
    translate_errors(engine.sync_engine)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    # A change of the mode needs the file without other connections, and the busy timeout does not cover it.
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an intent must be on the disk before its call is sent
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def is_database_error(exc: BaseException) -> bool:
    """Whether the database itself failed: not reached, locked for too long, a statement that it did not take."""
    return isinstance(exc, SQLAlchemyError | DatabaseBusy)
