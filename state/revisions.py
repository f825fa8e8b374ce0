"""Which schema revisions there are, and which a database has: read from the files, without loading alembic."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.ext.asyncio import AsyncEngine

from state.errors import SchemaTooNew, SchemaTooOld

# How alembic writes it at the top of each file: https://alembic.sqlalchemy.org/en/latest/tutorial.html
_NAMED = re.compile(r"^(down_revision|revision)\b[^=\n]*=\s*(?:\"([^\"]+)\"|None)", re.MULTILINE)
_APPLIED = table("alembic_version", column("version_num"))


def revisions() -> Path:
    """The folder of the revisions. Raises FileNotFoundError where cutover was installed without them."""
    here = Path(__file__).resolve().parent
    for folder in (here / "_alembic", here.parent / "alembic"):
        # Beside an installed `state` lies the package alembic itself, which has no folder `versions`.
        if (folder / "versions").is_dir():
            return folder
    raise FileNotFoundError(f"no schema revisions beside {here}; install cutover again")


@cache
def _known() -> Mapping[str, str | None]:
    """Each revision with the one before it."""
    known: dict[str, str | None] = {}
    for file in sorted((revisions() / "versions").glob("*.py")):
        names = dict(_NAMED.findall(file.read_text()))
        known[names["revision"]] = names["down_revision"] or None
    return known


def head() -> str:
    """The revision that this code was written for."""
    (newest,) = set(_known()) - set(_known().values())
    return newest


def knows_revision(revision: str) -> bool:
    """Whether this code has that revision."""
    return revision in _known()


async def check_schema(engine: AsyncEngine) -> None:
    """Raises SchemaTooOld or SchemaTooNew where the database does not have exactly this code's schema."""
    check_revisions(await applied_revisions(engine))


async def has_revisions(engine: AsyncEngine) -> bool:
    """Whether any schema revision was ever applied to the database: without one it has none of our tables."""
    return bool(await applied_revisions(engine))


async def applied_revisions(engine: AsyncEngine) -> tuple[str, ...]:
    """What the database says of itself; empty where it has none of our tables."""
    async with engine.connect() as connection:
        return await connection.run_sync(_applied)


async def has_table(engine: AsyncEngine, name: str) -> bool:
    """Whether a database, which may have an older schema, has a table of this name."""
    async with engine.connect() as connection:
        return bool(await connection.run_sync(lambda sync: inspect(sync).has_table(name)))


def check_revisions(applied: tuple[str, ...]) -> None:
    """Raises SchemaTooOld or SchemaTooNew unless `applied` is exactly the newest revision of this code."""
    expected = head()
    if applied == (expected,):
        return
    names = " and ".join(applied) or "none"
    if all(knows_revision(revision) for revision in applied):
        raise SchemaTooOld(
            f"the database has schema revision {names}, this cutover needs {expected}: run `cutover init`"
        )
    raise SchemaTooNew(
        f"the database has schema revision {names}, which this cutover does not know "
        f"(its own is {expected}): run the newer cutover that made it; `cutover init` does not go back"
    )


def _applied(connection: Connection) -> tuple[str, ...]:
    if not inspect(connection).has_table(_APPLIED.name):
        return ()
    return tuple(sorted(connection.execute(select(_APPLIED.c.version_num)).scalars()))
