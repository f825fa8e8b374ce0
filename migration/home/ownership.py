"""Is this the home's own database? Asked before anything is done with it, and by whoever only reads it."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.errors import BadSetting
from migration.home.identity_file import identities
from migration.settings import Settings
from state.home import HomeRow
from state.revisions import check_schema, has_revisions


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
