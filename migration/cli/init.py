"""`cutover init`: a home folder, a master key, an admin file to fill in, a database with our tables."""

from pathlib import Path

from migration.cli.console import ExitCode, Json, print_json, print_line, run_verb
from migration.settings import Settings, read_settings
from migration.vault.sealing import new_master_key, write_private
from state.schema import upgrade

ADMIN = """# The admin file of cutover. It names secrets, it holds none: { env = "NAME" } or { file = "PATH" }.

# One credential profile per Meta app and system-user token; the inventory's column `profile` names it.
# [profiles.main]
# app_id = "1234567890"
# token = { file = "main-token" }
# app_secret = { file = "main-app-secret" }

# Commands that stop and start instances; the inventory's columns `stop_command` and `start_command` name them.
# No shell. Each {place} is checked against its pattern.
# [commands.stop-client]
# argv = ["docker", "stop", "{container}"]
# arguments = { container = "[a-z0-9-]+" }

# A customer's traffic hook; the inventory's column `hook` names it.
# [hooks.acme]
# url = "https://senders.example/cutover"
# secret = { file = "acme-hook-secret" }

# The message that proves that a number can send: an approved template without parameters.
[smoke]
template = "hello_world"
language = "en_US"
"""


def init(as_json: Json = False) -> None:
    """Make the home folder, the master key, the admin file and the database; keep what is there."""
    run_verb(_init(as_json))


async def _init(as_json: bool) -> int:
    settings = read_settings()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = _key(settings) | _admin(settings)
    settings.keys()  # a key that is there must be one
    await upgrade(settings.database)
    told = {"home": str(settings.home), "database": _without_password(settings.database), "made": sorted(made)}
    if as_json:
        print_json(told)
        return ExitCode.DONE
    print_line(f"home      {settings.home}")
    print_line(f"database  {told['database']}: tables are up to date")
    print_line(f"key       {'from CUTOVER_MASTER_KEY' if settings.master_key else settings.key_path}")
    print_line(f"admin     {settings.admin_path}")
    print_line("Keep a copy of the key somewhere else: without it no backup and no PIN can be opened again.")
    print_line("Next: fill in the admin file, then `cutover import FILE`.")
    return ExitCode.DONE


def _key(settings: Settings) -> set[str]:
    if settings.master_key is not None or settings.key_path.exists():
        return set()
    write_private(settings.key_path, new_master_key().get_secret_value() + "\n")
    return {"key"}


def _admin(settings: Settings) -> set[str]:
    path: Path = settings.admin_path
    if path.exists():
        return set()
    write_private(path, ADMIN)
    return {"admin"}


def _without_password(url: str) -> str:
    from sqlalchemy import make_url

    return make_url(url).render_as_string(hide_password=True)
