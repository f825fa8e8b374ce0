"""Is the master key that of the home's secrets? And the count of openings, by which an older copy is noticed."""

import asyncio
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.database_location import read_place
from migration.home.identity_file import Identity, identities, write_identity
from migration.settings import Settings
from migration.vault.backup_shelf import SUFFIX
from migration.vault.sealing import MasterKeys, WrongKey, key_id
from state.epochs import begin_epoch
from state.home import HomeRecord, HomeRow
from state.types import SqlClock


async def check_key(settings: Settings, record: HomeRecord, row: HomeRow, keys: MasterKeys) -> None:
    """Raises WrongKey where the home's secrets were sealed under a key that is not among these."""
    given = keys.by_id()
    if row.key_id is not None:
        if row.key_id not in given:
            raise wrong_key(settings, row.key_id, keys)
        return
    known, other = await record.sealed_under(given)
    if other and not known:
        raise wrong_key(settings, "another key", keys)
    on_shelf = {path: _key_of(path) for path in settings.backup_folder.glob(f"*{SUFFIX}")}
    if on_shelf and not any(found in given for found in on_shelf.values()):
        raise wrong_key(settings, "another key", keys)


def _key_of(path: Path) -> str:
    try:
        with path.open() as file:
            return file.readline().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def wrong_key(settings: Settings, sealed_under: str, keys: MasterKeys) -> WrongKey:
    """One line with both keys' names, and what to do."""
    held = f"{settings.key_source} holds {key_id(keys.current)}"
    return WrongKey(
        f"this home's secrets are sealed under master key {sealed_under}, {held}; "
        "nothing was changed. Put the home's own key there; see `cutover runbook key-lost`"
    )


async def begin_epoch_by_hand(settings: Settings, database: AsyncEngine, clock: SqlClock) -> None:
    """An older copy of the database was put in its place by hand: it counts as restored, of an unknown time."""
    highest = max(identity.openings for _, identity in identities(settings))
    await begin_epoch(database, highest + 1, None, None, clock)


async def count_opening(settings: Settings, record: HomeRecord, keys: MasterKeys) -> HomeRow:
    """Count this opening, first in the database and then in the folders: a kill in between never looks like a copy.

    A folder that cannot be written, as that of a worker with read-only settings, notices no copy; all else works.
    """
    place = await read_place(settings, record)
    row = await record.count_opening(key_id(keys.current), str(place))
    with suppress(OSError):
        await asyncio.to_thread(write_identity, settings, Identity(row.home_id, row.openings))
    return row


async def count_closing(settings: Settings, record: HomeRecord, keys: MasterKeys) -> None:
    """As `count_opening`; a database that is gone by now does not turn what was done into an error."""
    with suppress(OSError, SQLAlchemyError):
        await count_opening(settings, record, keys)
