"""`cutover restore`: a backup becomes the home's database and shelf again, as a new epoch.

Everything is checked before anything is touched. SQLite's file is built beside its place and renamed at the end.
"""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from migration.errors import BadSetting
from migration.home.backup_file import BackupReader, BadBackup, Manifest, reading
from migration.home.beginning import has_key
from migration.home.identity_file import Identity, identities, write_identity
from migration.home.opening import database_file, wrong_key
from migration.settings import Settings
from migration.vault.backup_shelf import SUFFIX
from migration.vault.private_file import write_private
from state import epochs
from state.database import open_database
from state.schema import has_revisions, knows_revision, upgrade
from state.table_rows import insert_lines, tables_of


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in the home before a restore."""

    numbers: int = 0
    held: int = 0  # numbers that a worker holds now
    has_tables: bool = False
    calls: Sequence[epochs.BudgetCall] | None = None  # None: they cannot be read


@dataclass(frozen=True, slots=True)
class Restored:
    """`aside`: where the old home is kept. `calls_known`: the calls since the backup were read in the old database."""

    manifest: Manifest
    epoch: int
    aside: Sequence[str]
    calls_known: bool
    waiting: int  # numbers that wait until both of their sides were read


async def restore(settings: Settings, path: Path, *, move_aside: bool) -> Restored:
    """Raises BadBackup or WrongKey before anything was changed."""
    with reading(path) as backup:
        manifest = backup.manifest
        _check_backup(settings, path, manifest)
        standing = await _look(settings)
        _check_place(settings, standing, manifest, move_aside=move_aside)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.backup_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        highest = max([manifest.openings, *(identity.openings for _, identity in identities(settings))])
        aside = await _move_aside(settings, standing, backup, stamp)
        await asyncio.to_thread(_write_shelf, settings, backup)
        epoch, waiting = await _build(settings, backup, standing, highest + 1)
        write_identity(settings, Identity(manifest.home_id, highest + 1))
    return Restored(manifest, epoch, aside, standing.calls is not None, waiting)


def _check_backup(settings: Settings, path: Path, manifest: Manifest) -> None:
    if not knows_revision(manifest.revision):
        raise BadBackup(
            f"{path} has schema revision {manifest.revision}, which this cutover does not know; nothing was changed. "
            "Restore it with the newer cutover that made it"
        )
    if has_key(settings) and manifest.key_id is not None and manifest.key_id not in settings.keys().by_id():
        raise wrong_key(settings, manifest.key_id, settings.keys())


async def _look(settings: Settings) -> Standing:
    path = database_file(settings)
    if path is not None and (not path.is_file() or path.stat().st_size == 0):
        return Standing()
    database = open_database(settings.database)
    try:
        if not await has_revisions(database):
            return Standing()
        numbers, held = await epochs.numbers_and_held(database)
        return Standing(numbers, held, True, await epochs.budget_calls(database))
    finally:
        await database.dispose()


def _check_place(settings: Settings, standing: Standing, manifest: Manifest, *, move_aside: bool) -> None:
    if standing.held:
        raise BadBackup(
            f"a worker holds {standing.held} numbers of this home; nothing was changed. Stop every worker, then again"
        )
    foreign = [str(path) for path, identity in identities(settings) if identity.home_id != manifest.home_id]
    found = [f"{standing.numbers} numbers in its database"] if standing.numbers else []
    shelf = list(settings.backup_folder.glob(f"*{SUFFIX}"))
    if foreign and (standing.numbers or shelf):
        found.append(f"the identity of another home in {foreign[0]}")
    if found and not move_aside:
        raise BadBackup(
            f"{settings.home} is not empty: {' and '.join(found)}; nothing was changed. `--move-aside` keeps what is "
            "there under another name, then restores"
        )


async def _move_aside(settings: Settings, standing: Standing, backup: BackupReader, stamp: str) -> Sequence[str]:
    """Nothing is deleted: the old database, and each file of the shelf that the backup has otherwise."""
    ending, aside = f".before-restore-{stamp}", list[str]()
    path = database_file(settings)
    if path is not None:
        for part in ("", "-wal", "-shm"):
            old = path.with_name(path.name + part)
            if old.exists():
                new = path.with_name(f"{path.name}{ending}{part}")
                old.rename(new)
                aside += [str(new)] if part == "" else []
    elif standing.has_tables:
        schema = f"before_restore_{stamp.lower()}"
        database = open_database(settings.database)
        try:
            await epochs.move_tables(database, schema)
        finally:
            await database.dispose()
        aside.append(f"schema {schema} of the database")
    for name, content in backup.shelf():
        file = settings.backup_folder / name
        if file.exists() and file.read_bytes() != content:
            file.rename(file.with_name(name + ending))
            aside.append(f"{file}{ending}")
    for file, identity in list(identities(settings)):
        if identity.home_id != backup.manifest.home_id:
            file.rename(file.with_name(file.name + ending))
    return aside


def _write_shelf(settings: Settings, backup: BackupReader) -> None:
    for name, content in backup.shelf():
        file = settings.backup_folder / Path(name).name
        if not file.exists():
            write_private(file, content.decode())


async def _build(settings: Settings, backup: BackupReader, standing: Standing, openings: int) -> tuple[int, int]:
    """Make the tables and fill them. Returns the new epoch, and how many numbers wait for a reading."""
    path = database_file(settings)
    building = path.with_name(f".{path.name}.{secrets.token_hex(4)}") if path is not None else None
    url = settings.database if building is None else f"sqlite+aiosqlite:///{building.absolute()}"
    try:
        await upgrade(url, backup.manifest.revision)
        database = open_database(url)
        try:
            await _fill(database, backup)
        finally:
            await database.dispose()
        await upgrade(url)
        database = open_database(url)
        try:
            taken_at = datetime.fromisoformat(backup.manifest.taken_at)
            result = await epochs.begin_epoch(database, openings, taken_at, standing.calls)
        finally:
            await database.dispose()
        if building is not None and path is not None:
            building.chmod(0o600)
            building.replace(path)
        return result
    finally:
        if building is not None:
            for part in ("", "-wal", "-shm"):
                building.with_name(building.name + part).unlink(missing_ok=True)


async def _fill(database: AsyncEngine, backup: BackupReader) -> None:
    """All rows or none."""
    manifest = backup.manifest
    async with database.begin() as connection:
        tables = await connection.run_sync(tables_of)
        if {table.name for table in tables} != set(manifest.columns):
            raise BadSetting("the backup has other tables than its schema revision; nothing was changed")
        for table in tables:
            lines = backup.lines(f"tables/{table.name}.jsonl")
            await connection.run_sync(insert_lines, table, manifest.columns[table.name], lines)
