"""Trying a change out: everything is done as it would be, in one transaction that is never committed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class _OneTransaction:
    """What the ledger and the queries ask of an engine, on one connection: each transaction is a savepoint."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        # Python's driver begins at the first change, not at a savepoint, and would commit with the savepoint.
        self._to_begin = connection.dialect.name == "sqlite"

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        if self._to_begin:
            # Only now, and as a writer at once: SQLite refuses a change, without any patience, to a transaction that
            # has read before and been overtaken by a worker since. Looks at far sides before it hold up nobody.
            await self._connection.exec_driver_sql("BEGIN IMMEDIATE")
            self._to_begin = False
        async with self._connection.begin_nested():
            yield self._connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        yield self._connection


@asynccontextmanager
async def trial(engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """An engine whose changes are seen by its own readers and are gone at the end, also when the process is killed.

    A dry run is then the very code that would be run, and cannot drift from it.
    """
    async with engine.connect() as connection:
        try:
            yield cast("AsyncEngine", _OneTransaction(connection))
        finally:
            await connection.rollback()
