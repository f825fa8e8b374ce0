"""`cutover restore`: a backup becomes the home's database and shelf again, as a new epoch.

Everything is checked before anything is touched, and the database is replaced in one act.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.ext.asyncio import AsyncConnection

from migration.errors import BadSetting
from migration.home.backup_file import BackupReader, BadBackup, Manifest, reading
from migration.home.database_location import database_file
from migration.home.identity_file import Identity, identities, write_identity
from migration.home.making_home import has_key
from migration.home.opening import wrong_key
from migration.home.sqlite_file import into_one_file, keep, new_beside, remove_unfinished
from migration.settings import Settings
from migration.vault.backup_shelf import SUFFIX
from migration.vault.private_file import write_private
from state import epochs
from state.database import open_database
from state.revisions import has_revisions, knows_revision
from state.schema import upgrade, upgrade_within
from state.table_rows import insert_lines, tables_of
from state.triggers import without_triggers

T = TypeVar("T")


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


async def restore(
    settings: Settings, path: Path, *, move_aside: bool, reached: Callable[[str], None] = lambda _point: None
) -> Restored:
    """Raises BadBackup or WrongKey before anything was changed.

    A kill leaves the old home or the new one: the database is replaced in one act, by a rename (SQLite) or a commit
    (PostgreSQL). What is done before it only adds files; what is done after it can be done again. `reached` is called
    with the name of each point between two acts.
    """
    with reading(path) as backup:
        manifest = backup.manifest
        _check_backup(settings, path, manifest)
        standing = await _look(settings)
        _check_place(settings, standing, manifest, move_aside=move_aside)
        stamp = _stamp(datetime.now(UTC))
        ending = f".before-restore-{stamp}"
        settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.backup_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        highest = max([manifest.openings, *(identity.openings for _, identity in identities(settings))])
        reached("checked")
        await asyncio.to_thread(_add_to_shelf, settings, backup)
        reached("files added to the shelf")
        database = database_file(settings)
        place = _Place(settings, backup, standing, highest + 1, stamp)
        if database is None:
            aside, (epoch, waiting) = await _replace_on_server(place, reached)
        else:
            aside, (epoch, waiting) = await _replace_file(place, database, ending, reached)
        reached("database replaced")
        aside += _replace_on_shelf(settings, backup, ending)
        reached("files of the shelf replaced")
        write_identity(settings, Identity(manifest.home_id, highest + 1))
    return Restored(manifest, epoch, aside, standing.calls is not None, waiting)


def _stamp(now: datetime) -> str:
    """Two restores may follow within a second. The parts of the second are letters: more digits would be masked."""
    parts = f"{now:%f}".translate(str.maketrans("0123456789", "abcdefghij"))
    return f"{now:%Y%m%dT%H%M%S}_{parts}"


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


def _add_to_shelf(settings: Settings, backup: BackupReader) -> None:
    for name, content in backup.shelf():
        file = settings.backup_folder / Path(name).name
        if not file.exists():
            write_private(file, content.decode())


def _replace_on_shelf(settings: Settings, backup: BackupReader, ending: str) -> list[str]:
    """Files that the backup has otherwise; the old ones are kept."""
    aside = []
    for name, content in backup.shelf():
        file = settings.backup_folder / Path(name).name
        if file.read_bytes() != content:
            os.link(file, file.with_name(file.name + ending))
            aside.append(f"{file}{ending}")
            write_private(file, content.decode())
    return aside


def _put_foreign_identities_aside(settings: Settings, home_id: str, ending: str) -> None:
    """Before the database is replaced: a database without them is taken, one of another home than theirs is not."""
    for file, identity in list(identities(settings)):
        if identity.home_id != home_id:
            file.rename(file.with_name(file.name + ending))


@dataclass(frozen=True, slots=True)
class _Place:
    settings: Settings
    backup: BackupReader
    standing: Standing
    openings: int
    stamp: str

    async def begin_epoch(self, connection: AsyncConnection) -> tuple[int, int]:
        taken_at = datetime.fromisoformat(self.backup.manifest.taken_at)
        return await epochs.begin_epoch_within(connection, self.openings, taken_at, self.standing.calls)


async def _replace_on_server(place: _Place, reached: Callable[[str], None]) -> tuple[list[str], tuple[int, int]]:
    """PostgreSQL: all of it is one transaction. The old tables are kept in a schema of their own."""
    schema = f"before_restore_{place.stamp.lower()}"
    database = open_database(place.settings.database, limits=False)
    try:
        async with database.begin() as connection:
            if place.standing.has_tables:
                await epochs.move_tables(connection, schema)
            reached("old tables moved")
            await connection.run_sync(upgrade_within, place.backup.manifest.revision)
            await _fill(connection, place.backup)
            reached("new tables filled")
            await connection.run_sync(upgrade_within, "head")
            result = await place.begin_epoch(connection)
            ending = f".before-restore-{place.stamp}"
            _put_foreign_identities_aside(place.settings, place.backup.manifest.home_id, ending)
            reached("identities put aside")
    finally:
        await database.dispose()
    return [f"schema {schema} of the database"] if place.standing.has_tables else [], result


async def _replace_file(
    place: _Place, path: Path, ending: str, reached: Callable[[str], None]
) -> tuple[list[str], tuple[int, int]]:
    """SQLite: the new file is built beside its place, and renamed at the end."""
    remove_unfinished(path)
    building = new_beside(path)
    try:
        result = await _build(place, building)
        reached("new database built")
        aside = keep(path, ending)
        reached("old database kept")
        _put_foreign_identities_aside(place.settings, place.backup.manifest.home_id, ending)
        reached("identities put aside")
        building.chmod(0o600)
        building.replace(path)
    finally:
        remove_unfinished(path)
    return aside, result


async def _build(place: _Place, building: Path) -> tuple[int, int]:
    url = f"sqlite+aiosqlite:///{building}"
    await upgrade(url, place.backup.manifest.revision)
    await _in_one_transaction(url, lambda connection: _fill(connection, place.backup))
    await upgrade(url)
    result = await _in_one_transaction(url, place.begin_epoch)
    await asyncio.to_thread(into_one_file, building)
    return result


async def _in_one_transaction(url: str, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    database = open_database(url)
    try:
        async with database.begin() as connection:
            return await work(connection)
    finally:
        await database.dispose()


async def _fill(connection: AsyncConnection, backup: BackupReader) -> None:
    """All rows or none."""
    manifest = backup.manifest
    tables = await connection.run_sync(tables_of)
    if {table.name for table in tables} != set(manifest.columns):
        raise BadSetting("the backup has other tables than its schema revision; nothing was changed")
    await connection.run_sync(_fill_tables, tables, backup)


def _fill_tables(connection: Connection, tables: Sequence[Table], backup: BackupReader) -> None:
    """The record's rows come back as they are: no trigger may refuse or count them."""
    with without_triggers(connection):
        for table in tables:
            lines = backup.lines(f"tables/{table.name}.jsonl")
            insert_lines(connection, table, backup.manifest.columns[table.name], lines)
