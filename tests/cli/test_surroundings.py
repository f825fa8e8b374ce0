"""What a command takes from its surroundings: variables and the address of its database; which home it is in."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from migration.cli.session import operator_name
from state.naming import MOST_PERSON
from tests.harness.cli_fixture import CliFixture


@pytest.mark.parametrize("verb", ["status", "run", "init", "preflight"])
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CUTOVER_HOEM", "CUTOVER_HOME"),
        ("cutover_database_url", "CUTOVER_DATABASE_URL"),  # nothing reads it in small letters
        ("CUTOVER_GRAPH_ULR", "CUTOVER_GRAPH_URL"),
        ("CUTOVER_DB_URL", "CUTOVER_DATABASE_URL"),
        ("CUTOVER_XYZ", ""),
    ],
)
def test_a_variable_that_nothing_reads(cli: CliFixture, verb: str, name: str, near: str) -> None:
    output = cli.cutover(verb, env={name: "x"})
    assert output.exit_code == 1
    assert f"the environment variable {name} is not one that cutover reads" in output.error_line
    assert f"did you mean {near}" in output.error_line if near else True


def test_a_variable_that_the_admin_file_names(cli: CliFixture) -> None:
    admin = (cli.home / "cutover.toml").read_text()
    (cli.home / "cutover.toml").write_text(admin.replace('{ file = "token" }', '{ env = "CUTOVER_TOKEN" }'))
    env = {"CUTOVER_TOKEN": "x", "CUTOVER_FAMILY": "1-2", "CUTOVER_OPERATOR": "me", "CUTOVER_OTHER": ""}
    assert cli.cutover("status", env=env).exit_code == 0
    (cli.home / "cutover.toml").unlink()
    assert cli.cutover("status", env=env).exit_code == 0, "status needs no admin file"
    assert cli.cutover("status", env={"CUTOVER_HOEM": "x"}).exit_code == 1


@pytest.mark.parametrize("verb", ["status", "init", "preflight"])
@pytest.mark.parametrize(
    "url", ["u:hunter2@db/fleet", "mysql://u:hunter2@db/fleet", "sqlite:////tmp", "postgresql://u:hunter2@db:x/fleet"]
)
def test_an_address_that_cannot_be_one(cli: CliFixture, verb: str, url: str) -> None:
    output = cli.cutover(verb, env={"CUTOVER_DATABASE_URL": url})
    assert (output.exit_code, output.error_line.startswith("CUTOVER_DATABASE_URL: ")) == (1, True)
    assert "hunter2" not in output.stderr


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+aiosqlite:///{}"])
def test_a_file_in_every_form(cli: CliFixture, tmp_path: Path, form: str) -> None:
    moved = tmp_path / "fleet of 2026.db"
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    shutil.move(cli.home / "cutover.db", moved)
    output = cli.cutover("status", env={"CUTOVER_DATABASE_URL": form.format(moved)})
    assert (output.exit_code, "N-0001" in output.stdout) == (0, True)


def test_a_file_that_is_no_database(cli: CliFixture, tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database at all, only text that is long enough to be read as one" * 20)
    output = cli.cutover("status", env={"CUTOVER_DATABASE_URL": str(tmp_path / "notes.db")})
    assert (output.exit_code, "not a database" in output.error_line) == (1, True)


def test_a_home_with_a_tilde(cli: CliFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(cli.home.parent))
    output = cli.cutover("status", env={"CUTOVER_HOME": f"~/{cli.home.name}"})
    assert (output.exit_code, str(cli.home) in output.stdout) == (0, True)


@pytest.mark.parametrize("verb", [("status",), ("run", "--dry-run"), ("import", "FILE", "--correct")], ids=" ".join)
def test_the_first_line_says_home_database_and_graph(cli: CliFixture, verb: tuple[str, ...]) -> None:
    arguments = [cli.inventory() if part == "FILE" else part for part in verb]
    first = cli.cutover(*arguments).stdout.splitlines()[0]
    graph = cli.sandbox.manifest["graph_url"]
    assert first.startswith(f"home {cli.home} (")
    assert f"database sqlite+aiosqlite:///{cli.home}/cutover.db" in first
    assert first.endswith(f"Graph {graph}")
    document = cli.cutover(*arguments, "--json").document
    assert (document["home"], document["graph"]) == (str(cli.home), graph)
    assert document["home_id"] in first
    assert document["database"] in first


def test_a_name_is_no_longer_than_the_record_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL refuses what is: an import would end at the first number that the person decides about."""
    monkeypatch.setenv("CUTOVER_OPERATOR", "Ann " * 100)
    assert len(operator_name()) == MOST_PERSON
