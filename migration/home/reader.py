"""Opens a home for reading: `status` and `show` load no more than what is imported here."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.database_location import copied_from
from migration.home.ownership import check_database, read_home, refuse_missing_file
from migration.home.private_files import check_private_files
from migration.runtime.worker_identity import is_gone
from migration.settings import Settings
from state.database import open_database
from state.home import HomeRecord, HomeRow
from state.queries.queries import Queries
from state.types import DatabaseClock, SqlClock


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeReader:
    """What the record alone can answer: it needs neither the master key, the admin file, Prefect nor the network."""

    settings: Settings
    database: AsyncEngine
    home: HomeRow
    is_older_copy: bool  # a copy was put in its place; the next command that changes something begins an epoch
    copied_from: str | None  # a sentence, until the next command that changes something
    queries: Queries


@asynccontextmanager
async def open_reader(
    settings: Settings, *, sql_clock: SqlClock | None = None, is_gone: Callable[[str], bool] = is_gone
) -> AsyncIterator[HomeReader]:
    """Open the database for reading. Raises WrongHome, SchemaTooNew, SchemaTooOld."""
    sql_clock = sql_clock or DatabaseClock()
    async with open_home(settings) as database:
        record = HomeRecord(database, sql_clock)
        home, is_older_copy = await read_home(settings, record)
        yield HomeReader(
            settings=settings,
            database=database,
            home=home,
            is_older_copy=is_older_copy,
            copied_from=await copied_from(settings, record, home),
            queries=Queries(database, sql_clock, is_gone, older_copy=is_older_copy),
        )


@asynccontextmanager
async def open_home(settings: Settings) -> AsyncIterator[AsyncEngine]:
    refuse_missing_file(settings)
    check_private_files(settings)
    database = open_database(settings.database)
    try:
        await check_database(settings, database)
        yield database
    finally:
        await database.dispose()
