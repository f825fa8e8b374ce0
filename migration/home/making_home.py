"""`cutover init`: what has to be true before a home is made or upgraded, and the identity that it gets."""

from sqlalchemy.ext.asyncio import AsyncEngine

from migration.home.database_location import database_file
from migration.home.identity_file import Identity, identities, write_identity
from migration.home.opening import check_key, wrong_key
from migration.home.ownership import read_home, refuse_vanished
from migration.settings import Settings
from migration.vault.sealing import MasterKeys, WrongKey, key_id
from state.database import open_database
from state.home import HomeRecord, sealed_keys
from state.revisions import has_revisions, has_table
from state.types import DatabaseClock


async def check_before_init(settings: Settings, *, key_lost: bool) -> bool:
    """Whether the database has an identity already. Makes nothing, and changes nothing.

    Raises WrongHome where the home had a database that is gone, or stands beside another home's; WrongKey where its
    secrets are sealed under another master key, unless that one is lost for good.
    """
    path = database_file(settings)
    if path is not None and (not path.exists() or path.stat().st_size == 0):
        refuse_vanished(settings, "is empty" if path.exists() else "is gone")
        return False
    database = open_database(settings.database)
    try:
        if not await has_revisions(database):
            refuse_vanished(settings, "has no tables")
            return False
        return await _check_existing(settings, database, key_lost=key_lost)
    finally:
        await database.dispose()


async def _check_existing(settings: Settings, database: AsyncEngine, *, key_lost: bool) -> bool:
    if not key_lost:
        await _check_key_of_rows(settings, database)
    if not await has_table(database, "home"):
        return False
    record = HomeRecord(database, DatabaseClock())
    row, _ = await read_home(settings, record, any_schema=True)
    if not key_lost and not has_key(settings) and row.key_id is not None:
        raise _missing_key(settings, row.key_id)
    if not key_lost and has_key(settings):
        await check_key(settings, record, row, settings.keys())
    return True


def has_key(settings: Settings) -> bool:
    return settings.has_key()


async def _check_key_of_rows(settings: Settings, database: AsyncEngine) -> None:
    """Raises WrongKey where no key, or a new one, would stand beside secrets that it cannot open. Any schema."""
    under = await sealed_keys(database) if await has_table(database, "secrets") else frozenset()
    names = ", ".join(sorted(under))
    if under and not has_key(settings):
        raise _missing_key(settings, names)
    if under and not under & settings.keys().by_id().keys():
        raise wrong_key(settings, names, settings.keys())


def _missing_key(settings: Settings, names: str) -> WrongKey:
    return WrongKey(
        f"this home's secrets are sealed under master key {names}, and there is no key at {settings.key_path}; "
        "nothing was made. Put the copy that you kept there; if it is lost for good, see `cutover runbook key-lost`"
    )


async def settle_identity(settings: Settings, keys: MasterKeys, *, had_identity: bool, key_lost: bool) -> str:
    """Write the identity into the folders; returns it. Raises WrongKey where an upgraded home has another key."""
    database = open_database(settings.database)
    try:
        record = HomeRecord(database, DatabaseClock())
        if not had_identity:
            for _, identity in identities(settings):  # an older copy of this home's database was put in its place
                await record.take_identity(identity.home_id)
        if key_lost:
            await record.set_key(key_id(keys.current))
            await record.forget_record_key()
        row, is_older_copy = await read_home(settings, record)
        await check_key(settings, record, row, keys)
        settings.backup_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not is_older_copy:
            write_identity(settings, Identity(row.home_id, row.openings))
        return row.home_id
    finally:
        await database.dispose()
