"""The sandbox's manifest as a partner would have it: an admin file, files with secrets, an inventory."""

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migration.vault.sealing import write_private

WAVE = "demo"
# Takes the message that proves that a number can send.
SMOKE_TO = "+15550109999"
SECRETS = ("token", "app_secret", "verify_token", "hook_secret")

ADMIN = """# Made by `cutover demo`.

[profiles.main]
app_id = "{app_id}"
token = {{ file = "token" }}
app_secret = {{ file = "app_secret" }}
verify_token = {{ file = "verify_token" }}

[commands.stop-instance]
argv = {stop}
arguments = {{ instance = "[A-Za-z0-9_-]+" }}

[hooks.senders]
url = "{hook_url}"
secret = {{ file = "hook_secret" }}

[smoke]
template = "hello_world"
language = "en_US"
"""


def write_home(home: Path, manifest: Mapping[str, Any], wave: str = WAVE) -> Path:
    """Everything that a partner prepares before `cutover import`. Returns the inventory's path."""
    for name in SECRETS:
        _fresh(home / name, manifest[name])
    stop = [
        sys.executable,
        "-m",
        "sandbox.control.client_commands",
        "--url",
        manifest["sandbox_url"],
        "stop",
        "{instance}",
    ]
    told = {name: value for name, value in manifest.items() if isinstance(value, str)}
    _fresh(home / "cutover.toml", ADMIN.format(**told, stop=json.dumps(stop)))
    return write_inventory(home / "fleet.csv", manifest, wave)


def write_inventory(path: Path, manifest: Mapping[str, Any], wave: str) -> Path:
    _fresh(path, "")  # it holds the instances' passwords
    served = {number["waba_id"] for number in manifest["numbers"] if number["onprem_url"]}
    names = {waba["waba_id"]: f"Customer {place}" for place, waba in enumerate(manifest["wabas"], 1)}
    rows = [_row(number, names, served) | {"wave": wave} for number in manifest["numbers"]]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _row(number: Mapping[str, Any], names: Mapping[str, str], served: set[str]) -> dict[str, str]:
    here = number["onprem_url"] is not None
    return {
        "e164": number["e164"],
        "phone_number_id": number["phone_number_id"],
        "waba_id": number["waba_id"],
        "customer": names[number["waba_id"]],
        "profile": "main",
        "pin": number["pin"] or "",
        "instance": number["instance"] if here else "",
        "onprem_url": number["onprem_url"] or "",
        "onprem_username": number["username"] if here else "",
        "onprem_password": number["password"] if here else "",
        "stop_command": "stop-instance" if here else "",
        "command_arguments": f"instance={number['instance']}" if here else "",
        # Customers whose numbers carry traffic now have senders that listen to us.
        "hook": "senders" if number["waba_id"] in served else "",
        "smoke_to": SMOKE_TO,
    }


def _fresh(path: Path, text: str) -> None:
    """For the owner's eyes only; a folder that was kept from an earlier demo may have one."""
    path.unlink(missing_ok=True)
    write_private(path, text)
