"""A home keeps its own database and its own master key: every verb refuses others in one line, and makes nothing."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from migration.vault.sealing import new_master_key
from tests.harness.cli_fixture import CliFixture, CommandOutput

NEEDS_KEY = [
    ("init",),
    ("import", "FILE"),
    ("import", "FILE", "--correct"),
    ("preflight",),
    ("run",),
    ("profile",),
    ("hold", "N-0001"),
    ("sweep",),
]
READ_ONLY = [("status",), ("show", "N-0001")]


def typed(cli: CliFixture, verb: tuple[str, ...], inventory: str) -> CommandOutput:
    return cli.cutover(*(inventory if part == "FILE" else part for part in verb))


def content(path: Path) -> dict[str, bytes]:
    """Every file but the database's."""
    files = [file for file in path.rglob("*") if file.is_file() and "cutover.db" not in file.name]
    return {str(file): file.read_bytes() for file in files}


def all_secrets(cli: CliFixture) -> list[tuple[object, ...]]:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        rows = database.execute("SELECT * FROM secrets ORDER BY id").fetchall()
    database.close()
    return rows


# -- another master key


@pytest.mark.parametrize("verb", NEEDS_KEY, ids=" ".join)
@pytest.mark.parametrize("by", ["file", "environment"])
def test_another_key_than_the_home_s_is_refused(cli: CliFixture, verb: tuple[str, ...], by: str) -> None:
    inventory, other = cli.inventory(), new_master_key().get_secret_value()
    sealed = all_secrets(cli)
    if by == "file":
        (cli.home / "master.key").write_text(other + "\n")
    else:
        cli.env["CUTOVER_MASTER_KEY"] = other
    output = typed(cli, verb, inventory)
    assert output.exit_code == 1
    assert "sealed under master key" in output.error_line
    assert "cutover runbook key-lost" in output.error_line
    assert other not in output.stderr
    assert all_secrets(cli) == sealed


def test_init_makes_no_key_beside_what_another_one_has_sealed(cli: CliFixture) -> None:
    key = (cli.home / "master.key").read_text()
    (cli.home / "master.key").unlink()
    output = cli.cutover("init")
    assert (output.exit_code, "nothing was made" in output.error_line) == (1, True)
    assert not (cli.home / "master.key").exists()
    (cli.home / "master.key").write_text(key)
    (cli.home / "master.key").chmod(0o600)
    assert cli.cutover("init").exit_code == 0


def test_init_makes_no_key_for_a_home_that_has_sealed_nothing_yet(cli: CliFixture) -> None:
    """Its record names its key: with a new one beside it each verb would be refused from then on."""
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute("DELETE FROM secrets")
    database.close()
    (cli.home / "master.key").unlink()
    (cli.home / "cutover.toml").unlink()
    output = cli.cutover("init")
    assert (output.exit_code, "nothing was made" in output.error_line) == (1, True)
    assert [name for name in ("master.key", "cutover.toml") if (cli.home / name).exists()] == []


def test_a_key_that_is_lost_for_good_is_given_up_by_name(cli: CliFixture) -> None:
    old = (cli.home / "master.key").read_text().strip()
    (cli.home / "master.key").unlink()
    assert cli.cutover("init", "--key-lost").exit_code == 0
    assert cli.cutover("profile", "main", "--new-token").exit_code == 0
    output = cli.cutover("preflight", env={"CUTOVER_MASTER_KEY": old})
    assert "sealed under master key" in output.error_line


def test_backups_alone_name_the_key(cli: CliFixture) -> None:
    """A home of an earlier release has no key on record; its shelf has one."""
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute("UPDATE home SET key_id = NULL")
        database.execute("DELETE FROM secrets")
    database.close()
    (cli.home / "backups" / "number-1-backup.1.1.sealed").write_text("0123456789abcdef\nAAAA\nAAAA")
    assert "sealed under master key" in cli.cutover("profile").error_line
    assert "sealed under master key" in cli.cutover("init").error_line


# -- a database that is gone


def gone(cli: CliFixture) -> None:
    for path in cli.home.glob("cutover.db*"):
        path.unlink()


def empty(cli: CliFixture) -> None:
    gone(cli)
    (cli.home / "cutover.db").touch()


def without_tables(cli: CliFixture) -> None:
    gone(cli)
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute("CREATE TABLE notes (text)")
    database.close()


def only_backups(cli: CliFixture) -> None:
    gone(cli)
    for path in (cli.home, cli.home / "backups"):
        (path / "home.json").unlink()
    (cli.home / "backups" / "number-1-backup.1.1.sealed").write_text("x")


@pytest.mark.parametrize("lose", [gone, empty, without_tables, only_backups])
@pytest.mark.parametrize("verb", [*NEEDS_KEY, *READ_ONLY], ids=" ".join)
def test_a_database_that_vanished(cli: CliFixture, lose: object, verb: tuple[str, ...]) -> None:
    inventory = cli.inventory()
    assert callable(lose)
    lose(cli)
    before = content(cli.home)
    sizes = {path.name: path.stat().st_size for path in cli.home.glob("cutover.db*")}
    output = typed(cli, verb, inventory)
    assert output.exit_code == 1
    assert "but this home had one" in output.error_line
    assert "cutover runbook" in output.error_line
    assert content(cli.home) == before
    assert {path.name: path.stat().st_size for path in cli.home.glob("cutover.db*")} == sizes


@pytest.mark.parametrize("verb", [*NEEDS_KEY, *READ_ONLY], ids=" ".join)
def test_another_home_s_database(cli: CliFixture, tmp_path: Path, verb: tuple[str, ...]) -> None:
    other = CliFixture(tmp_path / "other", cli.sandbox, cli.env | {"CUTOVER_HOME": str(tmp_path / "other")})
    assert other.cutover("init").exit_code == 0
    inventory = cli.inventory()
    gone(cli)
    shutil.copy(other.home / "cutover.db", cli.home / "cutover.db")
    output = typed(cli, verb, inventory)
    assert output.exit_code == 1
    assert "belongs to home" in output.error_line


def test_a_folder_without_a_home(tmp_path: Path, cli: CliFixture) -> None:
    env = {"CUTOVER_HOME": str(tmp_path / "new")}
    assert "`cutover init` makes one for a new home" in cli.cutover("status", env=env).error_line
    assert not (tmp_path / "new").exists()


# -- what the record alone answers


@pytest.mark.parametrize("verb", READ_ONLY, ids=" ".join)
def test_the_record_alone_answers_status_and_show(cli: CliFixture, verb: tuple[str, ...]) -> None:
    for name in ("master.key", "cutover.toml", "token", "app_secret", "hook_secret"):
        (cli.home / name).unlink()
    env = {"CUTOVER_GRAPH_URL": "http://127.0.0.1:9", "PREFECT_API_URL": "http://127.0.0.1:9/api"}
    output = cli.cutover(*verb, "--json", env=env)
    assert (output.exit_code, output.stderr) == (0, "")
    assert "N-0001" in output.stdout
