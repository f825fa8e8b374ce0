"""The output of commands: JSON on the last line, masked numbers, and that `init` never makes a second key."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli_fixture import CliFixture, build_cli_fixture, run_sandbox
from tests.harness.partner_files import SMOKE_TO

READING: list[tuple[str, ...]] = [
    ("status",),
    ("show", "N-0001"),
    ("preflight",),
    ("preflight", "N-0001"),
    ("profile",),
    ("run", "--dry-run"),
]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliFixture]:
    """A home folder after a run: one number has moved, one waits for its code, one was on Cloud already."""
    with run_sandbox("--numbers", "3", "--kinds", "healthy,no_backup,on_cloud", "--seed", "6") as sandbox:
        cli = build_cli_fixture(tmp_path_factory.mktemp("moved"), sandbox)
        assert cli.cutover("import", cli.inventory()).exit_code == 0
        assert cli.cutover("ask-code", "N-0002").exit_code == 0
        assert cli.cutover("run", "--patience", "0", "--json").exit_code == 3, "one number waits for its code"
        yield cli


def numbers_in(text: str, cli: CliFixture) -> list[str]:
    """Which full phone numbers of the fleet, or the number that gets smoke messages, are in a text."""
    known = [row["e164"].lstrip("+") for row in cli.fleet] + [SMOKE_TO.lstrip("+")]
    return [number for number in known if number in text]


@pytest.mark.parametrize("verb", READING, ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_phone_numbers_are_masked(moved: CliFixture, verb: tuple[str, ...], as_json: bool) -> None:
    output = moved.cutover(*verb, *(["--json"] if as_json else []))
    assert output.exit_code in (0, 3)
    assert output.stdout
    assert numbers_in(output.stdout + output.stderr, moved) == []


def test_imports_and_runs_mask_phone_numbers(tmp_path: Path) -> None:
    with run_sandbox("--numbers", "2", "--kinds", "healthy,no_backup", "--seed", "8") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        for verb in (("import", cli.inventory()), ("run", "--patience", "0"), ("run", "N-0002", "--patience", "0")):
            output = cli.cutover(*verb)
            assert output.exit_code in (0, 3)
            assert numbers_in(output.stdout + output.stderr, cli) == []


@pytest.mark.parametrize("verb", [("status",), ("show", "N-0001")], ids=" ".join)
@pytest.mark.parametrize("as_json", [False, True])
def test_full_phone_numbers_are_shown_on_request(moved: CliFixture, verb: tuple[str, ...], as_json: bool) -> None:
    output = moved.cutover(*verb, "--show-numbers", *(["--json"] if as_json else []))
    assert moved.fleet[0]["e164"] in output.stdout


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_json_is_one_document_on_the_last_line(moved: CliFixture, verb: tuple[str, ...]) -> None:
    output = moved.cutover(*verb, "--json")
    assert len(output.stdout.strip().splitlines()) == 1
    assert isinstance(output.document, dict)


@pytest.mark.parametrize("verb", [("status",), ("preflight",), ("run", "--dry-run")], ids=" ".join)
def test_reading_commands_change_nothing_on_either_side(moved: CliFixture, verb: tuple[str, ...]) -> None:
    def writes() -> list[Any]:
        calls = moved.sandbox.control("GET", "calls?since=0")["calls"]
        return [
            call["call"] for call in calls if call["write"] and call["call"] not in ("onprem.login", "onprem.backup")
        ]

    before = writes()
    moved.cutover(*verb)
    assert writes() == before


def test_status_names_side_status_and_next_command(moved: CliFixture) -> None:
    numbers = {number["ref"]: number for number in moved.cutover("status", "--json").document["numbers"]}
    assert (numbers["N-0001"]["side"], numbers["N-0001"]["status"]) == ("cloud", "done")
    assert numbers["N-0001"]["outage_s"] is not None
    assert numbers["N-0002"]["next_command"] == "cutover enter-code N-0002"
    assert numbers["N-0002"]["on"] == "customer"


def test_an_entered_code_lets_the_number_continue(tmp_path: Path) -> None:
    with run_sandbox("--numbers", "1", "--kinds", "no_backup", "--seed", "9") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        assert cli.cutover("import", cli.inventory()).exit_code == 0
        assert cli.cutover("ask-code", "N-0001").exit_code == 0
        assert cli.cutover("run", "--patience", "0").exit_code == 3
        e164 = cli.fleet[0]["e164"].replace("+", "%2B")
        code = sandbox.control("GET", f"sms?e164={e164}")["codes"][-1]["code"]
        output = cli.cutover("enter-code", "N-0001", "--stdin", typed=code + "\n")
        assert output.exit_code == 0
        assert code not in output.stdout
        assert cli.cutover("run", "--patience", "5").exit_code == 0
        (number,) = cli.cutover("status", "--json").document["numbers"]
        assert (number["side"], number["status"]) == ("cloud", "done")


def test_a_new_token_is_stored_only_when_graph_accepts_it(tmp_path: Path) -> None:
    with run_sandbox("--numbers", "1", "--seed", "10") as sandbox:
        cli = build_cli_fixture(tmp_path / "home", sandbox)
        assert cli.cutover("import", cli.inventory()).exit_code == 0
        (cli.home / "token").write_text("EAAG-another")
        output = cli.cutover("profile", "main", "--new-token")
        assert output.exit_code == 12
        assert "EAAG-another" not in output.stderr
        (cli.home / "token").write_text(sandbox.manifest["token"])
        assert cli.cutover("profile", "main", "--new-token").exit_code == 0
        assert cli.cutover("run", "--patience", "5").exit_code == 0


def test_init_twice_keeps_the_key_and_the_admin_file(empty_cli: CliFixture) -> None:
    key, admin = (empty_cli.home / "master.key").read_text(), (empty_cli.home / "cutover.toml").read_text()
    output = empty_cli.cutover("init", "--json")
    assert (output.exit_code, output.document["made"]) == (0, [])
    assert (empty_cli.home / "master.key").read_text() == key
    assert (empty_cli.home / "cutover.toml").read_text() == admin
    assert (empty_cli.home / "master.key").stat().st_mode & 0o777 == 0o600
    assert key.strip() not in output.stdout


def test_init_does_not_print_the_password_of_a_database(empty_cli: CliFixture) -> None:
    url = "postgresql+asyncpg://me:pa55word@127.0.0.1:9/none"
    output = empty_cli.cutover("init", env={"CUTOVER_DATABASE_URL": url})
    assert output.exit_code == 1
    assert "pa55word" not in output.stdout + output.stderr


def test_a_number_that_another_worker_holds_is_not_moved(cli: CliFixture) -> None:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        until = "2099-01-01 00:00:00.000000"
        held = "UPDATE number_migrations SET status='running', lease_holder='w', lease_until=?"
        database.execute(held, (until,))
    database.close()
    output = cli.cutover("run", "N-0001", "--patience", "0", "--json")
    assert output.exit_code == 3
    assert output.document["not_moved"] == 1
    assert json.dumps(output.document).count("running") == 1


def test_a_copied_home_folder_works_elsewhere(cli: CliFixture, tmp_path: Path) -> None:
    shutil.copytree(cli.home, tmp_path / "elsewhere")
    other = build_cli_fixture(tmp_path / "elsewhere", cli.sandbox)
    assert len(other.cutover("status", "--json").document["numbers"]) == 2


def test_the_version_is_that_of_the_package(cli: CliFixture) -> None:
    output = cli.cutover("--version")
    assert (output.exit_code, output.stdout) == (0, f"cutover {metadata.version('cutover')}\n")
