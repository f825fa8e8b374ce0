"""The schema revisions: applied, taken back, and compared with what a database has.

The revisions are the folder `alembic` at the top of a checkout, `_alembic` beside this file in a wheel.
"""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import open_database
from state.errors import SchemaTooNew, SchemaTooOld

# alembic keeps its context in module globals: two runs at once in one process would overwrite it.
_ONE_AT_A_TIME = threading.Lock()


def revisions() -> Path:
    """The folder of the revisions. Raises FileNotFoundError where cutover was installed without them."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_alembic", here.parent / "alembic"):
        # Beside an installed `state` lies the package alembic itself, which has no folder `versions`.
        if (folder / "versions").is_dir():
            return folder
    raise FileNotFoundError(f"no schema revisions beside {here}; install cutover again")


def head() -> str:
    """The revision that this code was written for."""
    return str(_script().get_current_head())


async def upgrade(url: str, to: str = "head") -> None:
    """Apply the revisions that a database lacks; where none is missing, this costs one read.

    Safe to run from two places at once: the second waits, then finds nothing to do. All revisions are applied
    in one transaction, so a process killed half-way leaves the schema as it was. Raises SchemaTooNew.
    """
    await _not_newer(url)
    await asyncio.to_thread(_run, url, lambda config: command.upgrade(config, to))


def upgrade_within(connection: Connection, to: str) -> None:
    """As `upgrade`, in the transaction of this connection to PostgreSQL, which the caller commits."""
    with _ONE_AT_A_TIME:
        config = _config("")
        config.attributes["connection"] = connection
        command.upgrade(config, to)


async def downgrade(url: str, to: str) -> None:
    """Take revisions back to `to`; "base" is an empty database. The data that the revisions added is lost."""
    await asyncio.to_thread(_run, url, lambda config: command.downgrade(config, to))


async def check_schema(engine: AsyncEngine) -> None:
    """Raises SchemaTooOld or SchemaTooNew where the database does not have exactly this code's schema."""
    async with engine.connect() as connection:
        revisions_found = await connection.run_sync(_current_revisions)
    check_revisions(revisions_found)


async def has_revisions(engine: AsyncEngine) -> bool:
    """Whether any schema revision was ever applied to the database: without one it has none of our tables."""
    async with engine.connect() as connection:
        return bool(await connection.run_sync(_current_revisions))


async def has_table(engine: AsyncEngine, name: str) -> bool:
    """Whether a database, which may have an older schema, has a table of this name."""
    async with engine.connect() as connection:
        return bool(await connection.run_sync(lambda sync: inspect(sync).has_table(name)))


async def _not_newer(url: str) -> None:
    engine = open_database(url)
    try:
        await check_schema(engine)
    except SchemaTooOld:
        return
    finally:
        await engine.dispose()


def check_revisions(revisions_found: tuple[str, ...]) -> None:
    """Raises SchemaTooOld or SchemaTooNew unless `revisions_found` is exactly the newest revision of this code."""
    expected = head()
    if revisions_found == (expected,):
        return
    names = " and ".join(revisions_found) or "none"
    if all(_known(revision) for revision in revisions_found):
        raise SchemaTooOld(
            f"the database has schema revision {names}, this cutover needs {expected}: run `cutover init`"
        )
    raise SchemaTooNew(
        f"the database has schema revision {names}, which this cutover does not know "
        f"(its own is {expected}): run the newer cutover that made it; `cutover init` does not go back"
    )


def _current_revisions(connection: Connection) -> tuple[str, ...]:
    return tuple(sorted(MigrationContext.configure(connection).get_current_heads()))


def knows_revision(revision: str) -> bool:
    """Whether this code has that revision."""
    return _known(revision)


def _known(revision: str) -> bool:
    return any(known.revision == revision for known in _script().walk_revisions())


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(revisions()))


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
