"""The only place that makes SQLAlchemy engines."""

import sqlite3
from typing import Any

from sqlalchemy import event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def open_database(url: str, *, pool_size: int = 5) -> AsyncEngine:
    """An engine for SQLite (WAL, foreign keys on, patient about locks) or PostgreSQL."""
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_async_engine(url, pool_size=pool_size, max_overflow=pool_size, connect_args={"timeout": 30})
        event.listen(engine.sync_engine, "do_connect", _try_sqlite)
        event.listen(engine.sync_engine, "connect", _set_up_sqlite)
        return engine
    return create_async_engine(url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True)


def _try_sqlite(_dialect: Any, _record: Any, given: Any, named: Any) -> None:
    """Fail here where the file cannot be opened: aiosqlite would leave a thread behind that fails once more, aloud."""
    sqlite3.connect(given[0], timeout=named.get("timeout", 30), uri=named.get("uri", False)).close()


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    # Changing the mode wants the file for itself, and the busy timeout does not cover it: asked for only when needed.
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an intent must be on the disk before its call goes out
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()
