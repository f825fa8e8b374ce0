"""`cutover rotate-key`: make a new master key, and wrap every data key with it."""

import re

from migration.app import App
from migration.cli.confirming import ChangeReport, Show
from migration.cli.options import DryRun, Json
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app
from migration.errors import BadSetting
from migration.settings import Settings, read_settings
from migration.vault.private_file import remove_leftovers, write_private
from migration.vault.rotation_lock import rotation_lock
from migration.vault.sealing import key_id, new_master_key
from state.database import empty_wal
from state.database_lock import only_rotation

MOST_WRAPPED = 10_000_000  # workers that go on sealing under the older key do not keep a rotation from its end
KEY_IN_ENVIRONMENT = (
    "the master key comes from CUTOVER_MASTER_KEY: put a new one there and this one into CUTOVER_OLDER_MASTER_KEYS, "
    "then type it again; nothing was changed"
)
KEY_OF_COMMAND = (
    "the master key comes from the admin file's key_command: let it print a new key first and this one after it, "
    "then type it again; nothing was changed"
)


def rotate_key(dry_run: DryRun = False, as_json: Json = False) -> None:
    """Make a new master key and wrap every data key with it. Workers may run: they read the key file again.

    One rotation at a time. The old key stays in the key file, after the new one, and opens what an old backup of the
    database holds. Where something is still under an older key (a rotation was cut off, or a lost key was found), no
    new key is made.
    """
    run_verb(_rotate_key(ChangeReport(as_json, dry_run)))


async def _rotate_key(report: ChangeReport) -> int:
    settings = read_settings()
    own_file = settings.key_source == str(settings.key_path)
    if report.changes_nothing:
        return await _rotate_locked(report, settings, own_file=own_file)
    with rotation_lock(settings.key_path if own_file else settings.home):
        # What a killed rotation has left holds keys in clear.
        remove_leftovers(settings.key_path.parent, re.escape(settings.key_path.name))
        async with only_rotation(settings.database):
            return await _rotate_locked(report, settings, own_file=own_file)


async def _rotate_locked(report: ChangeReport, settings: Settings, *, own_file: bool) -> int:
    """What other verbs see meanwhile is the old key file, or the new one with both keys in it."""
    async with open_cli_app(dry_run=True) as app:
        under_older_keys = await _show_keys(report.now, app, settings)
        if under_older_keys == 0 and not own_file:
            raise BadSetting(KEY_IN_ENVIRONMENT if settings.master_key is not None else KEY_OF_COMMAND)
    report.will(
        f"wrap {under_older_keys} data keys with the current key; no new one is made"
        if under_older_keys
        else f"put a new key first into {settings.key_path}, keep the old one after it, wrap every data key anew"
    )
    if report.changes_nothing:
        return report.finish()
    if under_older_keys == 0:
        _add_new_key(settings)
    async with open_cli_app() as app:
        wrapped = 0
        while (more := await app.secret_store.rewrap()) and wrapped < MOST_WRAPPED:
            wrapped += more  # until nothing is left that a worker has sealed meanwhile
        await app.home_record.set_key(app.vault.key_id)  # last: until then the older key has to be given too
        await _show_keys(report.after, app, settings)
        app.secret_store.remove_leftovers()
        await empty_wal(app.database)
    report.document["wrapped"] = wrapped
    report.next("keep a copy of the key file somewhere else")
    return report.finish()


def _add_new_key(settings: Settings) -> None:
    """Write the new key, first in the file, before it wraps anything: a kill after this line loses neither key."""
    older_keys = settings.key_path.read_text().split()
    write_private(settings.key_path, "\n".join([new_master_key().get_secret_value(), *older_keys]) + "\n")


async def _show_keys(show: Show, app: App, settings: Settings) -> int:
    """Show the keys. Returns how many data keys are wrapped with an older key."""
    count = await app.secret_store.count_under_older_keys()
    keys = settings.keys()
    older = [key_id(key) for key in keys.older]
    text = f"the master key is {key_id(keys.current)}, with {len(older)} older ones; {count} data keys are under those"
    show(text, {"key": key_id(keys.current), "older": older, "under_older_keys": count})
    return count
