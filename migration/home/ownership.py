"""Is this the home's own database? Asked before anything is done with it, and by whoever only reads it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.errors import BadSetting
from migration.home.database_location import database_file
from migration.home.identity_file import Identity, identities
from migration.settings import Settings
from state.home import HomeRecord, HomeRow
from state.revisions import applied_revisions, check_revisions


class WrongHome(BadSetting):
    """The database is not the one that this home has. Nothing was made and nothing was changed."""


def shown_database(settings: Settings) -> str:
    """The address of the database without its password."""
    return make_url(settings.database).render_as_string(hide_password=True)


def traces(settings: Settings) -> Sequence[str]:
    """What in the folders shows that this home had a database."""
    from migration.vault.backup_shelf import SUFFIX  # noqa: PLC0415  only where a database is gone

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
    applied = await applied_revisions(engine)
    if not applied:
        refuse_vanished(settings, "has no tables")
    check_revisions(applied)


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


async def read_home(settings: Settings, record: HomeRecord, *, any_schema: bool = False) -> tuple[HomeRow, bool]:
    """The home's row, and whether the database is behind what a folder of the home has seen. Raises WrongHome.

    `any_schema`: the database may be of an earlier release, before its upgrade.

    The folders are read first: other processes open the home meanwhile, and count in the database before the folders.
    Read after the row, a folder could be further than it, and the database would be taken for an older copy.
    """
    seen = tuple(identities(settings))
    row = await (record.read_any_schema() if any_schema else record.read())
    return row, check_identity(settings, row, seen)


def check_identity(settings: Settings, row: HomeRow, seen: Iterable[tuple[Path, Identity]]) -> bool:
    """Whether the database is behind what the folders had seen before. Raises WrongHome for another home's."""
    behind = False
    for path, identity in seen:
        if identity.home_id != row.home_id:
            raise WrongHome(
                f"the database {shown_database(settings)} belongs to home {row.home_id}, {path} to home "
                f"{identity.home_id}; nothing was changed. Set CUTOVER_HOME, CUTOVER_DATABASE_URL and "
                "CUTOVER_BACKUP_DIR of one home; see `cutover runbook database-down`"
            )
        behind = behind or row.openings < identity.openings
    return behind
