"""The schema revisions: applied and taken back.

The revisions are the folder `alembic` at the top of a checkout, `_alembic` beside this file in a wheel.
"""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url

from state.database import open_database
from state.errors import SchemaTooOld
from state.revisions import check_schema, revisions

# alembic keeps its context in module globals: two runs at once in one process would overwrite it.
_ONE_AT_A_TIME = threading.Lock()


async def upgrade(url: str, to: str = "head") -> None:
    """Apply the revisions that a database lacks; where none is missing, this costs one read.

    Safe to run from two places at once: the second waits, then finds nothing to do. All revisions are applied
    in one transaction, so a process killed half-way leaves the schema as it was. Raises SchemaTooNew.
    """
    await asyncio.to_thread(_make_private, url)
    await _not_newer(url)
    await asyncio.to_thread(_run, url, lambda config: command.upgrade(config, to))


def _make_private(url: str) -> None:
    """A new SQLite file, for its owner only whatever the umask; SQLite gives its log the rights of the file."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database and address.database != ":memory:":
        with suppress(OSError):  # it is there, or whoever opens it says why it cannot be made
            os.close(os.open(address.database, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def upgrade_within(connection: Connection, to: str) -> None:
    """As `upgrade`, in the transaction of this connection to PostgreSQL, which the caller commits."""
    with _ONE_AT_A_TIME:
        config = _config("")
        config.attributes["connection"] = connection
        command.upgrade(config, to)


async def downgrade(url: str, to: str) -> None:
    """Take revisions back to `to`; "base" is an empty database. The data that the revisions added is lost."""
    await asyncio.to_thread(_run, url, lambda config: command.downgrade(config, to))


async def _not_newer(url: str) -> None:
    engine = open_database(url)
    try:
        await check_schema(engine)
    except SchemaTooOld:
        return
    finally:
        await engine.dispose()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(revisions()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def _run(url: str, run_command: Callable[[Config], None]) -> None:
    """Called in a thread, because alembic/env.py opens its connection in an event loop of its own."""
    with _ONE_AT_A_TIME:
        run_command(_config(url))
