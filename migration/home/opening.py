"""Is this the home's own database, and the key that its secrets are sealed under? Asked before anything is done."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.errors import BadSetting
from migration.home.identity_file import Identity, identities, write_identity
from migration.settings import Settings
from migration.vault.backup_shelf import SUFFIX
from migration.vault.sealing import MasterKeys, WrongKey, key_id
from state.epochs import begin_epoch
from state.home import HomeRecord, HomeRow
from state.schema import check_schema, has_revisions
from state.types import SqlClock


class WrongHome(BadSetting):
    """The database is not the one that this home has. Nothing was made and nothing was changed."""


def shown_database(settings: Settings) -> str:
    """The address of the database without its password."""
    return make_url(settings.database).render_as_string(hide_password=True)


def database_file(settings: Settings) -> Path | None:
    """Of SQLite; None for a server."""
    url = make_url(settings.database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def traces(settings: Settings) -> Sequence[str]:
    """What in the folders shows that this home had a database."""
    found = [f"{path} (home {identity.home_id})" for path, identity in identities(settings)]
    backups = len(list(settings.backup_folder.glob(f"*{SUFFIX}")))
    return [*found, f"{backups} sealed backups in {settings.backup_folder}"] if backups else found


def refuse_vanished(settings: Settings, what: str) -> None:
    """Raises WrongHome where the home had a database. `what` is true of the one that stands there: `is gone`."""
    found = traces(settings)
    if found:
        raise WrongHome(
            f"the database {shown_database(settings)} {what}, but this home had one: there is {', '.join(found)}; "
            "nothing was made. Put the database back, or type `cutover restore FILE`; "
            "see `cutover runbook database-down`"
        )


async def check_database(settings: Settings, engine: AsyncEngine) -> None:
    """Raises WrongHome, SchemaTooOld or SchemaTooNew."""
    if not await has_revisions(engine):
        refuse_vanished(settings, "has no tables")
    await check_schema(engine)


def refuse_missing_file(settings: Settings) -> None:
    """Raises WrongHome where SQLite's file is missing or empty. Ask before a connection: it would make the file."""
    path = database_file(settings)
    if path is None or (path.is_file() and path.stat().st_size > 0):
        return
    if path.is_dir():
        raise BadSetting(f"{path} is a folder, not a database file; set CUTOVER_DATABASE_URL to a file")
    what = "is empty" if path.exists() else "is gone"
    refuse_vanished(settings, what)
    raise WrongHome(f"the database {shown_database(settings)} is not there; `cutover init` makes one for a new home")


def check_identity(settings: Settings, row: HomeRow) -> bool:
    """Whether the database is behind what a folder of the home has seen. Raises WrongHome for another home's."""
    behind = False
    for path, identity in identities(settings):
        if identity.home_id != row.home_id:
            raise WrongHome(
                f"the database {shown_database(settings)} belongs to home {row.home_id}, {path} to home "
                f"{identity.home_id}; nothing was changed. Set CUTOVER_HOME, CUTOVER_DATABASE_URL and "
                "CUTOVER_BACKUP_DIR of one home; see `cutover runbook database-down`"
            )
        behind = behind or row.openings < identity.openings
    return behind


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
    source = "CUTOVER_MASTER_KEY" if settings.master_key is not None else str(settings.key_path)
    return WrongKey(
        f"this home's secrets are sealed under master key {sealed_under}, {source} holds {key_id(keys.current)}; "
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
    row = await record.count_opening(key_id(keys.current))
    with suppress(OSError):
        await asyncio.to_thread(write_identity, settings, Identity(row.home_id, row.openings))
    return row


async def count_closing(settings: Settings, record: HomeRecord, keys: MasterKeys) -> None:
    """As `count_opening`; a database that is gone by now does not turn what was done into an error."""
    with suppress(OSError, SQLAlchemyError):
        await count_opening(settings, record, keys)
