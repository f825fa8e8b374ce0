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
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from state.database import open_database
from state.errors import SchemaTooNew, SchemaTooOld

# alembic keeps its context in module globals: two runs in one process would take it from each other.
_ONE_AT_A_TIME = threading.Lock()


def revisions() -> Path:
    """The folder of the revisions. Raises FileNotFoundError where cutover was installed without them."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_alembic", here.parent / "alembic"):
        # Known by `versions`: next to an installed `state` stands alembic itself, which has no such folder.
        if (folder / "versions").is_dir():
            return folder
    raise FileNotFoundError(f"no schema revisions beside {here}; install cutover again")


def head() -> str:
    """The revision that this code was written for."""
    return str(_script().get_current_head())


async def upgrade(url: str, to: str = "head") -> None:
    """Bring a database up to date; a database that is there already costs one look.

    Safe to run from two places at once: the second waits, then finds nothing to do. All revisions are applied
    in one transaction, so a kill half-way leaves the schema as it was. Raises SchemaTooNew.
    """
    await _not_newer(url)
    await asyncio.to_thread(_run, url, lambda config: command.upgrade(config, to))


async def downgrade(url: str, to: str) -> None:
    """Take revisions back down to `to`; "base" is an empty database. What the revisions added is lost."""
    await asyncio.to_thread(_run, url, lambda config: command.downgrade(config, to))


async def check_schema(engine: AsyncEngine) -> None:
    """Raises SchemaTooOld or SchemaTooNew where the database does not have exactly this code's schema."""
    async with engine.connect() as connection:
        found = await connection.run_sync(_found)
    verdict(found)


async def _not_newer(url: str) -> None:
    engine = open_database(url)
    try:
        await check_schema(engine)
    except SchemaTooOld:
        return
    finally:
        await engine.dispose()


def verdict(found: tuple[str, ...]) -> None:
    """What the revisions that a database names mean for this code."""
    expected = head()
    if found == (expected,):
        return
    named = " and ".join(found) or "none"
    if all(_known(revision) for revision in found):
        raise SchemaTooOld(
            f"the database has schema revision {named}, this cutover needs {expected}: run `cutover init`"
        )
    raise SchemaTooNew(
        f"the database has schema revision {named}, which this cutover does not know "
        f"(its own is {expected}): run the newer cutover that made it; `cutover init` does not go back"
    )


def _found(connection: Connection) -> tuple[str, ...]:
    return tuple(sorted(MigrationContext.configure(connection).get_current_heads()))


def _known(revision: str) -> bool:
    return any(each.revision == revision for each in _script().walk_revisions())


def _script() -> ScriptDirectory:
    return ScriptDirectory(str(revisions()))


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(revisions()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def _run(url: str, do: Callable[[Config], None]) -> None:
    """In a thread of its own, because the environment opens its connection in an event loop of its own."""
    with _ONE_AT_A_TIME:
        do(_config(url))
