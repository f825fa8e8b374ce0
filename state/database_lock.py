"""A lock that PostgreSQL keeps for a process, on whatever machine it runs; it ends with the process's connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from state.database import open_database
from state.errors import LeaseLost

# Two integers name an advisory lock: what it is for, and the schema, because several homes may share one database.
# https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
ROTATION = 0x6B657973
_TAKE = text("SELECT pg_try_advisory_lock(:what, hashtext(current_schema()))")


@asynccontextmanager
async def only_rotation(url: str) -> AsyncIterator[None]:
    """One rotation of the master key at a time over all machines. Raises LeaseLost while another one runs.

    On SQLite it does nothing: the file is on one machine, and the lock beside the key is enough there.
    """
    database = open_database(url, pool_size=1, limits=False)
    try:
        if database.dialect.name != "postgresql":
            yield
            return
        async with database.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")  # no transaction stays open
            if not (await connection.execute(_TAKE, {"what": ROTATION})).scalar_one():
                raise LeaseLost(
                    "another rotation of this home's master key is running, maybe on another machine; nothing was "
                    "changed. Wait until it has ended"
                )
            yield
    finally:
        await database.dispose()
