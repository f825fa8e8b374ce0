"""The only place that makes SQLAlchemy engines."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Engine, Executable, event, make_url
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from state.database_errors import first_line_of, is_away, translate_errors
from state.errors import DatabaseAway, DatabaseBusy
from state.sqlite_driver import GOES_FIRST, TAKES_LONG, SqliteFile

T = TypeVar("T")

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
# Seconds. A connection to PostgreSQL that was used more recently is taken to be open; each try is a round trip.
TRIED_AFTER_S = 2.0
IDLE_SINCE = "idle_since"


def open_database(
    url: str,
    *,
    pool_size: int = 5,
    limits: bool = True,
    patience_s: float = SQLITE_PATIENCE,
    tried_after_s: float = TRIED_AFTER_S,
) -> AsyncEngine:
    """An engine for SQLite (WAL, foreign keys on, waits up to `patience_s` for a lock) or PostgreSQL.

    `tried_after_s`: a connection to PostgreSQL that has been idle for so long is tried before it is used.
    `limits` off: for changes of the schema, which may take as long as they need on PostgreSQL.
    Its statements raise AlreadyThere, DatabaseBusy and DatabaseAway beside SQLAlchemy's errors.
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
            connect_args=settings | {"async_creator_fn": _connect},
            hide_parameters=True,
        )
        _try_idle_connections(engine, tried_after_s)
    translate_errors(engine.sync_engine)
    return engine


def write_first(first: bool) -> None:
    """On SQLite, from now on: whether this task's writes go before those that wait, because a number is dark."""
    GOES_FIRST.set(first)


def goes_first() -> bool:
    """What `write_first` was told last."""
    return GOES_FIRST.get()


def for_reading(engine: AsyncEngine) -> AsyncEngine:
    """The same connections, for reads of one statement each: on PostgreSQL they are no transaction of their own.

    On SQLite a read never is one (`sqlite_driver`); a dry run's reads stay in its transaction.
    """
    if hasattr(engine, "sync_engine") and engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="AUTOCOMMIT")
    return engine


async def read(
    engine: AsyncEngine,
    query: Executable,
    values: Mapping[str, Any] | None,
    take: Callable[[Any], T],
    *,
    long: bool = False,
) -> T:
    """What `take` makes of the result of one statement that reads. `values` are those of its parameters.

    `long`: it looks at every row of a table that grows with the fleet; on SQLite a thread does that.

    As with a connection of `for_reading`, in half of its time: the connection is taken, used and given back in one
    go. Where the caller is cancelled, it is given back all the same.
    """
    reading = for_reading(engine)
    if not hasattr(reading, "sync_engine"):  # a dry run reads what it has written itself
        async with reading.connect() as connection:
            return take(await connection.execute(query, values))
    before = TAKES_LONG.set(long)
    try:
        return await greenlet_spawn(_read, reading.sync_engine, query, values, take)
    finally:
        TAKES_LONG.reset(before)


def _read(engine: Engine, query: Executable, values: Mapping[str, Any] | None, take: Callable[[Any], T]) -> T:
    with engine.connect() as connection:
        return take(connection.execute(query, values))


async def _connect(*arguments: Any, **options: Any) -> Any:
    """As asyncpg does. Its errors of sockets and of a server that starts or stops come through SQLAlchemy unchanged."""
    import asyncpg  # noqa: PLC0415  a home on SQLite does not need it

    try:
        return await asyncpg.connect(*arguments, **options)
    except Exception as exc:
        # InterfaceError: what the URL asks for cannot be, as a file of certificates that is not there.
        if not is_away(exc) and not isinstance(exc, asyncpg.InterfaceError):
            raise
        raise DatabaseAway(first_line_of(exc)) from exc


def _try_idle_connections(engine: AsyncEngine, idle_s: float) -> None:
    """Try a connection that has been idle before it is used: the server may have been restarted meanwhile."""
    pool, dialect = engine.sync_engine.pool, engine.dialect

    def note(_connection: Any, record: Any) -> None:
        record.info[IDLE_SINCE] = time.monotonic()

    def try_it(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get(IDLE_SINCE, time.monotonic()) < idle_s:
            return
        try:
            dialect.do_ping(connection)
        except Exception as exc:
            raise DisconnectionError from exc  # the pool opens another one

    event.listen(pool, "checkin", note)
    event.listen(pool, "checkout", try_it)


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=30000")
    # A change of the mode needs the file without other connections, and the busy timeout does not cover it.
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # an intent must be on the disk before its call is sent
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA secure_delete=ON")  # a data key that is deleted is overwritten in the file too
    cursor.close()


async def empty_wal(engine: AsyncEngine) -> bool:
    """SQLite: write the log back into the file and cut it to nothing, where no reader or writer hinders that now.

    Until then, the log holds what was overwritten in the file. Returns whether it is empty; always on PostgreSQL.
    """
    if engine.dialect.name != "sqlite":
        return True
    async with engine.connect() as connection:
        await connection.exec_driver_sql("PRAGMA busy_timeout=0")
        try:
            busy = (await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")).scalar_one()
        finally:
            await connection.exec_driver_sql("PRAGMA busy_timeout=30000")
    return not busy


def is_database_error(exc: BaseException) -> bool:
    """Whether the database itself failed: not reached, locked for too long, a statement that it did not take."""
    return isinstance(exc, SQLAlchemyError | DatabaseBusy)
