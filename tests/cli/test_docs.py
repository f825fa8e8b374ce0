"""docs/commands.md and docs/inventory.md name exactly what the command line and the importer accept."""

import csv
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from typer.core import TyperGroup

from migration.cli.__main__ import HELP, app
from migration.cli.exit_codes import ExitCode
from migration.fleet.inventory import OPTIONAL, REQUIRED, read_inventory
from migration.fleet.inventory_row import REGIONS
from migration.home.admin_file import AdminSettings
from migration.settings import Settings
from state.enums import Disposition

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = cast("TyperGroup", typer.main.get_command(app)).commands


def rows(text: str) -> list[list[str]]:
    """The cells of every table row."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


def documented_commands() -> dict[str, list[str]]:
    """Each command of the page with its options."""
    commands = {}
    for command, options, *_ in rows((DOCS / "commands.md").read_text()):
        verb = re.match(r"`cutover ([a-z-]+)", command)
        assert verb is not None, command
        commands[verb[1]] = re.findall(r"--[a-z-]+", options)
    return commands


def test_the_page_has_every_command_and_no_other() -> None:
    assert set(documented_commands()) == set(COMMANDS)


@pytest.mark.parametrize("verb", sorted(set(COMMANDS) - {"sandbox"}))
def test_the_page_has_every_option_and_no_other(verb: str) -> None:
    parameters: list[Any] = COMMANDS[verb].params
    options = {
        name for parameter in parameters for name in parameter.opts if name.startswith("--") and name != "--help"
    }
    assert set(documented_commands()[verb]) == options


def test_every_setting_is_on_the_page() -> None:
    text = (DOCS / "commands.md").read_text()
    assert [name for name in [each.name for each in fields(Settings)] if f"`CUTOVER_{name.upper()}`" not in text] == []


def test_every_exit_code_is_on_the_page() -> None:
    text = (DOCS / "commands.md").read_text()
    assert all(re.search(rf"^\| {int(code)} \|", text, re.MULTILINE) for code in ExitCode)
    assert all(f"`{word.value}`" in text for word in Disposition)


@pytest.mark.parametrize("text", [HELP, (DOCS.parent / "README.md").read_text()], ids=["--help", "README"])
def test_every_exit_code_is_in_the_short_list_of(text: str) -> None:
    listed = re.findall(r"\b(\d+) [a-z]", text[text.index("Exit codes: ") :].split(".", maxsplit=1)[0])
    assert [int(code) for code in listed] == [code for code in ExitCode if code is not ExitCode.INTERRUPTED]


def test_the_page_has_the_columns_of_an_inventory() -> None:
    required, _, optional = (DOCS / "inventory.md").read_text().partition("## Optional columns")
    assert [row[0].strip("`") for row in rows(required)] == list(REQUIRED)
    assert [row[0].strip("`") for row in rows(optional)] == list(OPTIONAL)
    assert all(region in optional for region in REGIONS)


def test_the_example_on_the_page_is_a_valid_inventory(tmp_path: Path) -> None:
    example = re.search(r"```csv\n(.*?)```", (DOCS / "inventory.md").read_text(), re.DOTALL)
    assert example is not None
    path = tmp_path / "fleet.csv"
    path.write_text(example[1])
    command = {"argv": ["true"], "arguments": {"container": "[a-z0-9-]+"}}
    profile = {"app_id": "1", "token": {"env": "TOKEN"}}
    admin = AdminSettings.model_validate({"profiles": {"main": profile}, "commands": {"stop-client": command}})
    inventory = read_inventory(path, admin)
    assert [str(bad) for bad in inventory.bad] == []
    assert len(list(csv.DictReader(example[1].splitlines()))) == len(inventory.rows) == 1
