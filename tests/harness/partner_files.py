"""The partner's files for a sandbox: the home folder with its admin file and secrets, and the inventory."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from migration.vault.private_file import write_private

SMOKE_TO = "+15550109999"
SECRETS = ("token", "app_secret", "hook_secret")
ADMIN = """
[profiles.main]
app_id = "{app_id}"
token = {{ file = "token" }}
app_secret = {{ file = "app_secret" }}

[commands.stop]
argv = ["true"]
arguments = {{ instance = "[A-Za-z0-9_-]+" }}

[commands.start]
argv = ["true"]
arguments = {{ instance = "[A-Za-z0-9_-]+" }}

[hooks.senders]
url = "{hook_url}"
secret = {{ file = "hook_secret" }}

[smoke]
template = "hello_world"
language = "en_US"
"""


def write_home(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write `cutover.toml` and the secret files that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_secrets(folder, manifest)
    write_private(folder / "cutover.toml", ADMIN.format(**manifest))


def write_secrets(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name in SECRETS:
        write_private(folder / name, manifest[name])


def write_inventory(path: Path, numbers: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Write the CSV file; `numbers` are those of the manifest, `columns` are set in every row."""
    with path.open("w", newline="") as file:
        rows = [_row(number) | dict(columns) for number in numbers]
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _row(number: Mapping[str, Any]) -> dict[str, str]:
    row = {
        "e164": number["e164"],
        "phone_number_id": number["phone_number_id"],
        "waba_id": number["waba_id"],
        "customer": f"customer of {number['waba_id']}",
        "profile": "main",
        "instance": "",
        "onprem_url": "",
        "onprem_username": "",
        "onprem_password": "",
        "stop_command": "",
        "command_arguments": "",
        "smoke_to": SMOKE_TO,
        "code_method": "SMS",
        "terms_accepted_by": "tester",
    }
    if number["onprem_url"]:
        row |= {
            "instance": number["instance"],
            "onprem_url": number["onprem_url"],
            "onprem_username": number["username"],
            "onprem_password": number["password"],
            "stop_command": "stop",
            "command_arguments": f"instance={number['instance']}",
        }
    return row
