"""`cutover rotate-key`: a new master key, and every data key wrapped by it."""

from collections.abc import Callable

from migration.app import App
from migration.cli.confirming import Confirmation, DryRun
from migration.cli.console import ExitCode, Json, open_cli_app, run_verb
from migration.errors import BadSetting
from migration.settings import Settings, read_settings
from migration.vault.sealing import key_id, new_master_key, write_private

FROM_THE_ENVIRONMENT = (
    "the master key comes from CUTOVER_MASTER_KEY: put a new one there and this one into CUTOVER_OLDER_MASTER_KEYS, "
    "then type it again; nothing was changed"
)


def rotate_key(dry_run: DryRun = False, as_json: Json = False) -> None:
    """Make a new master key and wrap every data key with it. Stop workers first: they hold the old one only.

    The old key stays in the key file, after the new one, and opens what an old backup of the database holds. Where
    something is still under an older key (a rotation was cut off, or a lost key was found), no new key is made.
    """
    run_verb(_rotate(Confirmation(as_json, dry_run)))


async def _rotate(asked: Confirmation) -> int:
    settings = read_settings()
    async with open_cli_app(dry_run=True) as app:
        left = await _tell(asked.now, app, settings)
        if left == 0 and settings.master_key is not None:
            raise BadSetting(FROM_THE_ENVIRONMENT)
    asked.will(
        f"wrap {left} data keys with the current key; no new one is made"
        if left
        else f"put a new key first into {settings.key_path}, keep the old one after it, wrap every data key anew"
    )
    if asked.only_looks:
        return asked.end()
    if left == 0:
        _new_key_first(settings)
    async with open_cli_app() as app:
        done = await app.secret_store.rewrap()
        await _tell(asked.after, app, settings)
    asked.told["wrapped"] = done
    asked.next("keep a copy of the key file somewhere else, then start the workers again")
    return asked.end(ExitCode.DONE)


def _new_key_first(settings: Settings) -> None:
    """On the disk before anything is wrapped with it: killed after this line, both keys are there."""
    old = settings.key_path.read_text().split()
    write_private(settings.key_path, "\n".join([new_master_key().get_secret_value(), *old]) + "\n")


async def _tell(say_it: Callable[[str, object], None], app: App, settings: Settings) -> int:
    left = await app.secret_store.not_under_this_key()
    keys = settings.keys()
    older = [key_id(key) for key in keys.older]
    text = f"the master key is {key_id(keys.current)}, with {len(older)} older ones; {left} data keys are under those"
    say_it(text, {"key": key_id(keys.current), "older": older, "under_older_keys": left})
    return left
