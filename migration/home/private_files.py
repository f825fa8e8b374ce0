"""The files of one home that nobody else may read: checked before the home is opened, repaired by `cutover init`."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migration.errors import BadSetting
from migration.home.identity_file import identity_paths
from migration.home.place import database_file
from migration.runtime.file_access import our_access, with_log_files
from migration.settings import Settings

if TYPE_CHECKING:
    from migration.home.admin_file import AdminSettings, SecretSource


def check_private_files(settings: Settings) -> None:
    """Raises BadSetting for the first that belongs to another user or that others may read or write.

    The admin file, the key and the files of secrets are checked by whoever reads them.
    """
    access = our_access()
    for path in _files_of_ours(settings):
        access.check(path)


def repair_private_files(settings: Settings) -> tuple[Path, ...]:
    """Take all rights on them from others. Returns what was changed."""
    mounted = [settings.admin_path, settings.key_path, *_secret_files(settings)]
    exports = settings.home.glob("*.cutover") if settings.home.is_dir() else ()
    return our_access().repair([*_files_of_ours(settings), *mounted, *exports])


def _files_of_ours(settings: Settings) -> Iterator[Path]:
    yield settings.home
    database = database_file(settings)
    if database is not None:
        yield from with_log_files(database)
    yield from identity_paths(settings)
    yield settings.backup_folder
    if settings.backup_folder.is_dir():
        yield from (path for path in settings.backup_folder.iterdir() if path.is_file())


def _secret_files(settings: Settings) -> Iterator[Path]:
    """What the admin file names, as far as it can be read."""
    from migration.home.admin_file import read_admin_settings  # noqa: PLC0415  only `cutover init` repairs

    with suppress(BadSetting):
        folder = settings.admin_path.parent
        for source in _sources(read_admin_settings(settings.admin_path, check=False)):
            if source is not None and source.file is not None:
                yield folder / source.file


def _sources(admin: "AdminSettings") -> "Iterator[SecretSource | None]":
    for profile in admin.profiles.values():
        yield from (profile.token, profile.app_secret, profile.verify_token)
    yield from (hook.secret for hook in admin.hooks.values())
    yield from admin.web.tokens.values()
    yield from (gateway.secret for gateway in admin.web.gateways.values())
    from migration.home.admin_file import SecretSource  # noqa: PLC0415  as above

    addresses = [target.url for target in admin.notify]
    if admin.heartbeat is not None:
        addresses.append(admin.heartbeat.url)
    yield from (address for address in addresses if isinstance(address, SecretSource))
