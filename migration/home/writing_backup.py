"""`cutover backup`: database and shelf of backups as they were at one moment, while workers run."""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.backup_file import BackupWriter, Manifest, writing
from migration.home.database_location import database_file
from migration.settings import Settings
from migration.vault.backup_shelf import SUFFIX
from migration.vault.private_file import errors_name
from migration.vault.sealing import MasterKeys
from state.database import open_database
from state.models import HomeTable, SecretTable
from state.revisions import head
from state.table_rows import columns_of, lines_of, tables_of

# A backup of a number may replace another one between the reading of the rows and that of the shelf.
READS_OF_THE_SHELF = 5


class _ShelfMoved(Exception):
    """A file that the rows name is gone by now; with newer rows the shelf agrees again."""


@dataclass(frozen=True, slots=True)
class Taken:
    """`missing`: files of the shelf that the rows name and that are not there, whenever one looks."""

    manifest: Manifest
    missing: Sequence[str]


async def take_backup(settings: Settings, database: AsyncEngine, path: Path, keys: MasterKeys | None) -> Taken:
    """Write the backup. With `keys`, it is checked that it holds none of them. Raises BadBackup, OSError."""
    forbidden = _needles(keys)
    for attempt in range(READS_OF_THE_SHELF):
        last = attempt == READS_OF_THE_SHELF - 1
        async with _snapshot(settings, database, path) as frozen, frozen.connect() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            try:
                return await connection.run_sync(_write, settings, path, forbidden, last)
            except _ShelfMoved:
                continue
    raise AssertionError("the last attempt accepts what is missing")


def _needles(keys: MasterKeys | None) -> Sequence[bytes]:
    """Each key as it is written and as its bytes."""
    if keys is None:
        return ()
    written = [key.get_secret_value().strip().rstrip("=").encode() for key in (keys.current, *keys.older)]
    return [*written, *keys.by_id().values()]


@asynccontextmanager
async def _snapshot(settings: Settings, database: AsyncEngine, path: Path) -> AsyncIterator[AsyncEngine]:
    """SQLite: a copy by its online backup. PostgreSQL: the database itself, read in one snapshot."""
    source = database_file(settings)
    if source is None:
        yield database
        return
    with errors_name(path):
        beside = tempfile.TemporaryDirectory(prefix=".cutover-backup-", dir=path.parent)
    with beside as folder:
        copy = Path(folder) / "copy.db"
        await asyncio.to_thread(_copy_online, source, copy)
        engine = open_database(f"sqlite+aiosqlite:///{copy.absolute()}")
        try:
            yield engine
        finally:
            await engine.dispose()


def _copy_online(source: Path, copy: Path) -> None:
    with closing(sqlite3.connect(source, timeout=30)) as reader, closing(sqlite3.connect(copy)) as writer:
        reader.backup(writer)


def _write(connection: Connection, settings: Settings, path: Path, forbidden: Sequence[bytes], last: bool) -> Taken:
    home = connection.execute(select(HomeTable.home_id, HomeTable.key_id, HomeTable.openings, HomeTable.epoch)).one()
    manifest = Manifest(
        home_id=home.home_id,
        key_id=home.key_id,
        revision=head(),
        taken_at=datetime.now(UTC).isoformat(),
        openings=home.openings,
        epoch=home.epoch,
        database=connection.dialect.name,
    )
    with writing(path, manifest, forbidden) as writer:
        for table in tables_of(connection):
            manifest.columns[table.name] = columns_of(table)
            lines = (line.encode() + b"\n" for line in lines_of(connection, table))
            manifest.counts[table.name] = writer.add(f"tables/{table.name}.jsonl", lines)
        on_shelf = set(_write_shelf(settings, writer))
        manifest.shelf_files = len(on_shelf)
        missing = sorted(_named(connection) - on_shelf)
        if missing and not last:
            raise _ShelfMoved
    return Taken(manifest, missing)


def _named(connection: Connection) -> set[str]:
    query = select(SecretTable.shelf_file).where(
        SecretTable.shelf_file.is_not(None), SecretTable.superseded_at.is_(None), SecretTable.shredded_at.is_(None)
    )
    return {str(name) for name in connection.execute(query).scalars()}


def _write_shelf(settings: Settings, writer: BackupWriter) -> Iterator[str]:
    for path in sorted(settings.backup_folder.glob(f"*{SUFFIX}")):
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue  # a newer backup has replaced it meanwhile
        writer.add(f"shelf/{path.name}", [content])
        yield path.name
