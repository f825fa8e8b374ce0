"""The files of one home that nobody else may read: checked before the home is opened, repaired by `cutover init`."""

import stat
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from migration.errors import BadSetting
from migration.home.database_location import database_file
from migration.home.identity_file import FILE_NAME, identity_paths
from migration.runtime.file_access import our_access, with_log_files
from migration.settings import Settings

# Parts of a path as `/data`; and the folders of the hierarchy that programs and their settings have.
# https://refspecs.linuxfoundation.org/FHS_3.0/fhs-3.0.html
AT_THE_TOP = 2
OF_PROGRAMS = frozenset(
    ("bin", "boot", "dev", "etc", "lib", "lib64", "opt", "proc", "sbin", "srv", "sys", "usr", "var")
)

if TYPE_CHECKING:
    from migration.home.admin_file import AdminSettings, SecretSource


def check_private_files(settings: Settings) -> None:
    """Raises BadSetting for the first that belongs to another user or that others may read or write.

    The admin file, the key and the files of secrets are checked by whoever reads them.
    """
    refuse_folders_of_others(settings)
    access = our_access()
    for path in _files_of_ours(settings):
        access.check(path)


def repair_private_files(settings: Settings) -> tuple[Path, ...]:
    """Take all rights on them from others. Returns what was changed.

    Raises BadSetting, and changes nothing, for a folder that was named by mistake, as `/etc`: others need its files.
    """
    refuse_folders_of_others(settings)
    mounted = [settings.admin_path, settings.key_path, *_secret_files(settings)]
    exports = settings.home.glob("*.cutover") if settings.home.is_dir() else ()
    return our_access().repair([*_files_of_ours(settings), *mounted, *exports])


def refuse_folders_of_others(settings: Settings) -> None:
    """Raises BadSetting where home or backups are a folder of the system, with files of others and none of a home's.

    As root all of them are our own, and `cutover init` would take `/etc` from everybody else.
    """
    of_home = {settings.admin_path.name, settings.key_path.name, FILE_NAME}
    database = database_file(settings)
    if database is not None:
        of_home.add(database.name)
    access = our_access()
    for folder, names in ((settings.home, of_home), (settings.backup_folder, {FILE_NAME})):
        if access.problem(folder) is not None and is_of_the_system(folder) and _holds_only_others(folder, names):
            raise BadSetting(f"{folder} holds files of others and can be read by others; name a folder of its own")


def is_of_the_system(folder: Path) -> bool:
    """One that others need: at the top, below one for programs, shared as `/tmp` is, or the home folder of a user."""
    real = folder.resolve()
    if len(real.parts) <= AT_THE_TOP or real.parts[1] in OF_PROGRAMS:
        return True
    is_shared = real.is_dir() and bool(real.stat().st_mode & stat.S_ISVTX)
    return is_shared or real == Path.home().resolve()


def _holds_only_others(folder: Path, names: Collection[str]) -> bool:
    from migration.vault.backup_shelf import SUFFIX  # noqa: PLC0415  hardly ever needed, and it loads the sealing

    with suppress(OSError):
        found = [path.name for path in folder.iterdir()]
        return bool(found) and not any(name in names or name.endswith(SUFFIX) for name in found)
    return False


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
