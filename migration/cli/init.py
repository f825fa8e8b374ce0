"""`cutover init`: makes the home folder, the master key, an admin file to fill in, and the tables in the database."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_json, print_line
from migration.cli.running import run_verb
from migration.home.making_home import check_before_init, settle_identity
from migration.home.ownership import shown_database
from migration.home.private_files import check_private_files, repair_private_files
from migration.settings import Settings, read_settings
from migration.vault.private_file import write_private
from migration.vault.sealing import new_master_key
from state.schema import upgrade

ADMIN = """# The admin file of cutover. It names secrets, it holds none: { env = "NAME" } or { file = "PATH" }.

# The master key from a command instead of the key file: it prints the key, then older ones.
# key_command = ["pass", "show", "cutover"]
# key_command_env = ["PASSWORD_STORE_DIR"]

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
# Or, in place of both, one of the commands: command = "tell-acme"

# An own certificate authority; the inventory's column `onprem_certificate`, or `certificate` of a hook, names it.
# [certificates.house]
# file = "house-ca.pem"

# Who is told of dark and blocked numbers, codes and halts: any address of Apprise. docs/notifications.md has the kinds.
# [[notify]]
# url = { file = "duty-url" }

# How long a cutover waits for callbacks that a client still holds; then for a person ("wait"), or it goes on ("go_on").
# [drain]
# limit_min = 10
# at_limit = "wait"

# A router of the partner's that reads `/v1/routes` of `cutover serve`: docs/hooks.md.
# [web.routers.sender-pool]
# token = { file = "sender-pool-token" }

# How long is kept what may still be needed, in days: docs/security.md.
# [retention]
# backups_days = 30
# superseded_days = 7
# webhooks_days = 30
# customers_days = 365

# Where the heads of the record are anchored every minute, beside this folder.
# [record]
# anchor_file = "/mnt/elsewhere/record-anchors.jsonl"
# anchor_webhook = "https://keeper.example/anchors"

# The message that proves that a number can send: an approved template without parameters.
[smoke]
template = "hello_world"
language = "en_US"
"""


def init(
    key_lost: Annotated[
        bool,
        typer.Option(
            "--key-lost", help="The home's master key is lost for good: go on with another one; `runbook key-lost`."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the home folder, the master key, the admin file and the database; keep what is there.

    Refuses where the home had a database that is gone, and where its secrets are sealed under another master key.
    """
    run_verb(_init(as_json, key_lost=key_lost))


async def _init(as_json: bool, *, key_lost: bool) -> int:
    settings = read_settings()
    repaired = await asyncio.to_thread(repair_private_files, settings)
    had_identity = await check_before_init(settings, key_lost=key_lost)
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = _make_key(settings) | _make_admin_file(settings)
    keys = settings.keys()  # raises BadSetting if the key file that is there holds no key
    await upgrade(settings.database)
    check_private_files(settings)  # raises BadSetting for what belongs to somebody else
    home = await settle_identity(settings, keys, had_identity=had_identity, key_lost=key_lost)
    database = shown_database(settings)
    if as_json:
        document = {"home": str(settings.home), "home_id": home, "database": database, "made": sorted(made)}
        print_json(document | {"made_private": [str(path) for path in repaired]})
        return ExitCode.DONE
    print_line(f"home      {settings.home} ({home})")
    print_line(f"database  {database}: tables are up to date")
    print_line(f"key       {settings.key_source}")
    print_line(f"admin     {settings.admin_path}")
    for path in repaired:
        print_line(f"private   {path}: others could read it, and no longer can")
    print_line("Keep a copy of the key somewhere else: without it no backup and no PIN can be opened again.")
    print_line("Next: fill in the admin file, then `cutover import FILE`.")
    return ExitCode.DONE


def _make_key(settings: Settings) -> set[str]:
    """What was made: `key`, or nothing if there is a key."""
    if settings.has_key():
        return set()
    write_private(settings.key_path, new_master_key().get_secret_value() + "\n")
    return {"key"}


def _make_admin_file(settings: Settings) -> set[str]:
    """What was made: `admin`, or nothing if there is an admin file."""
    path: Path = settings.admin_path
    if path.exists():
        return set()
    write_private(path, ADMIN)
    return {"admin"}
