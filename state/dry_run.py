"""Dry runs: every change is made as it would be, in one transaction that is rolled back at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class _OneTransactionEngine:
    """The part of AsyncEngine that ledger and queries use, on one connection: each transaction is a savepoint."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # Python's SQLite driver begins a transaction at the first change, not at a savepoint, and releasing the
        # savepoint would then commit.
        self._must_begin = connection.dialect.name == "sqlite"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if self._must_begin:
            # Begins at the first change, so that remote reads before it do not hold SQLite's write lock. IMMEDIATE,
            # because SQLite refuses at once, without waiting, a change in a transaction that has read before and
            # that another writer has overtaken.
            await self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            self._must_begin = False
        async with self._connection.begin_nested():
            yield self._connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        yield self._connection


@asynccontextmanager
async def open_dry_run(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine whose own readers see its changes, and whose changes are gone at the end, also after a kill.

    A dry run is then the same code as a real run, and cannot differ from it.
    """
    async with engine.connect() as connection:
        try:
            yield cast("AsyncEngine", _OneTransactionEngine(connection))
        finally:
            await connection.rollback()
