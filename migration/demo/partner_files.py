"""Writes the files that a partner would have, from the sandbox's manifest: admin file, secrets, inventory."""

import csv
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migration.vault.private_file import write_private

WAVE = "demo"
# The recipient of the message that proves that a number can send.
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
    """Write everything that `cutover import` needs. Returns the path of the inventory."""
    for name in SECRETS:
        _write_new(home / name, manifest[name])
    stop = [
        sys.executable,
        "-P",
        "-m",
        "sandbox.control.client_commands",
        "--url",
        manifest["sandbox_url"],
        "stop",
        "{instance}",
    ]
    urls_and_ids = {name: value for name, value in manifest.items() if isinstance(value, str)}
    _write_new(home / "cutover.toml", ADMIN.format(**urls_and_ids, stop=json.dumps(stop)))
    return write_inventory(home / "fleet.csv", manifest, wave)


def write_inventory(path: Path, manifest: Mapping[str, Any], wave: str) -> Path:
    _write_new(path, "")  # readable by the owner only: it contains the instances' passwords
    wabas_with_senders = {number["waba_id"] for number in manifest["numbers"] if number["onprem_url"]}
    names = {waba["waba_id"]: f"Customer {index}" for index, waba in enumerate(manifest["wabas"], 1)}
    rows = [_row(number, names, wabas_with_senders) | {"wave": wave} for number in manifest["numbers"]]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _row(number: Mapping[str, Any], names: Mapping[str, str], wabas_with_senders: set[str]) -> dict[str, str]:
    has_instance = number["onprem_url"] is not None
    return {
        "e164": number["e164"],
        "phone_number_id": number["phone_number_id"],
        "waba_id": number["waba_id"],
        "customer": names[number["waba_id"]],
        "profile": "main",
        "pin": number["pin"] or "",
        "instance": number["instance"] if has_instance else "",
        "onprem_url": number["onprem_url"] or "",
        "onprem_username": number["username"] if has_instance else "",
        "onprem_password": number["password"] if has_instance else "",
        "stop_command": "stop-instance" if has_instance else "",
        "command_arguments": f"instance={number['instance']}" if has_instance else "",
        # Customers with a number on On-Premises have senders, which have a traffic hook.
        "hook": "senders" if number["waba_id"] in wabas_with_senders else "",
        "smoke_to": SMOKE_TO,
        "terms_accepted_by": "the demo's operator",
    }


def _write_new(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in place of one from an earlier demo."""
    path.unlink(missing_ok=True)
    write_private(path, text)
