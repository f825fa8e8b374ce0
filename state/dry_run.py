"""Dry runs: every change is made as it would be, where nobody else sees it, and is gone at the end.

Before the first change a dry run reads the database like everybody. On SQLite, which has one lock for all writers, the
changes are then made in a copy in memory, so a dry run never holds that lock. On PostgreSQL they are made in one
transaction that is rolled back: it locks no row but those that it changes.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import cast

from sqlalchemy import StaticPool
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from state.database_errors import translate_errors
from state.record_key import record_key_of, with_record_key


class _Rehearsal:
    """The part of AsyncEngine that ledger and queries use; from the first change on, a transaction is a savepoint."""

    def __init__(self, engine: AsyncEngine, stack: AsyncExitStack) -> None:
        self._engine = engine
        self._stack = stack
        self._opening = asyncio.Lock()
        self._own: AsyncConnection | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._opening:
            if self._own is None:
                self._own = await self._open()
        async with self._own.begin_nested():
            yield self._own

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        if self._own is not None:
            yield self._own
            return
        async with self._engine.connect() as connection:
            yield connection

    async def _open(self) -> AsyncConnection:
        engine = self._engine
        if engine.dialect.name == "sqlite":
            key = record_key_of(engine)
            engine = with_record_key(await self._stack.enter_async_context(_copy_in_memory(engine)), key)
        connection = await self._stack.enter_async_context(engine.connect())
        self._stack.push_async_callback(connection.rollback)
        if engine.dialect.name == "sqlite":
            # Python's driver begins a transaction at the first change, not at a savepoint, whose end would commit.
            await connection.exec_driver_sql("BEGIN")
        return connection


@asynccontextmanager
async def open_dry_run(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine whose own readers see its changes, and whose changes are gone at the end, also after a kill.

    A dry run is then the same code as a real run, and cannot differ from it.
    """
    async with AsyncExitStack() as stack:
        yield cast("AsyncEngine", _Rehearsal(engine, stack))


@asynccontextmanager
async def _copy_in_memory(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The database as it is now. Copying takes no lock: in WAL mode a reader holds up no writer."""
    name = f"file:rehearsal-{secrets.token_hex(8)}?mode=memory&cache=shared"
    with closing(sqlite3.connect(name, uri=True, check_same_thread=False)) as copy:  # it lasts as long as this is open
        await asyncio.to_thread(_copy, Path(engine.url.database or ""), copy)
        memory = create_async_engine(f"sqlite+aiosqlite:///{name}&uri=true", poolclass=StaticPool)
        translate_errors(memory.sync_engine)
        try:
            async with memory.connect() as connection:
                await connection.exec_driver_sql("PRAGMA foreign_keys=ON")
            yield memory
        finally:
            await memory.dispose()


def _copy(path: Path, copy: sqlite3.Connection) -> None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as source:
        source.backup(copy)
