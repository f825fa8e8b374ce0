"""What a home holds is for its owner alone, under any umask; `cutover init` repairs what others could read."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from migration.home.private_files import is_of_the_system
from tests.harness.cli_fixture import CliFixture

FILES = ("cutover.db", "cutover.toml", "master.key", "token", "hook_secret", "backups", "home.json")


def others_may(path: Path) -> int:
    return path.stat().st_mode & 0o077


@pytest.mark.parametrize("name", ["", *FILES])
def test_what_others_can_read_is_refused_and_init_repairs_it(empty_cli: CliFixture, name: str) -> None:
    cli = empty_cli
    assert cli.cutover("import", cli.inventory()).exit_code == 0
    path = cli.home / name
    path.chmod(0o755 if path.is_dir() else 0o644)
    verb = ("profile", "main", "--new-token") if name == "token" else ("preflight",)
    output = cli.cutover(*verb)
    if name != "hook_secret":  # no row names the hook
        assert (output.exit_code, f"{path} can be read by others" in output.error_line) == (1, True)
    made = cli.cutover("init", "--json").document
    assert made["made_private"] == [str(path)]
    assert others_may(path) == 0
    assert cli.cutover("preflight").exit_code in (0, 3)


def test_nothing_is_for_others_under_an_open_umask(empty_cli: CliFixture) -> None:
    """By the real program: the umask belongs to a process."""
    cli = empty_cli
    home = cli.home.parent / "open"
    environment = {**os.environ, "CUTOVER_HOME": str(home)}
    run = [sys.executable, "-m", "migration.cli"]
    for verb in ("init", "status"):
        done = subprocess.run([*run, verb], env=environment, umask=0, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    writer = sqlite3.connect(home / "cutover.db")
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("UPDATE home SET openings = openings + 1")
    writer.commit()
    done = subprocess.run(
        [*run, "backup", str(home / "b.cutover")], env=environment, umask=0, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"cutover.db", "cutover.db-wal", "cutover.db-shm", "b.cutover", "master.key", "cutover.toml"} <= {
        path.name for path in home.iterdir()
    }
    writer.close()
    assert [path for path in (home, *home.rglob("*")) if others_may(path)] == []


@pytest.mark.parametrize("table", ["[[notify]]", "[heartbeat]"])
def test_the_file_of_an_address_is_repaired_too(empty_cli: CliFixture, table: str) -> None:
    cli = empty_cli
    admin, address = cli.home / "cutover.toml", cli.home / "address"
    admin.write_text(f'{admin.read_text()}\n{table}\nurl = {{ file = "address" }}\n')
    address.write_text("json://127.0.0.1:9/")
    address.chmod(0o644)
    assert cli.cutover("init", "--json").document["made_private"] == [str(address)]
    assert others_may(address) == 0


@pytest.mark.parametrize("variable", ["CUTOVER_HOME", "CUTOVER_BACKUP_DIR"])
def test_a_folder_of_others_keeps_its_rights(empty_cli: CliFixture, tmp_path: Path, variable: str) -> None:
    """As root, `/etc` would belong to us, and nobody else could read it after an `init` with that folder."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "passwd").write_text("root")
    folder.chmod(0o1755)  # sticky, as a folder that several users share
    (folder / "passwd").chmod(0o644)
    cli = replace(empty_cli, env=empty_cli.env | {variable: str(folder)})
    output = cli.cutover("init")
    assert (output.exit_code, f"{folder} holds files of others" in output.error_line) == (1, True)
    assert (others_may(folder), others_may(folder / "passwd")) == (0o055, 0o044)
    assert [path.name for path in folder.iterdir()] == ["passwd"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [("/", True), ("/etc", True), ("/usr/local", True), ("/tmp", True), ("~", True), ("/data/cutover/home", False)],
)
def test_folders_that_others_need_are_known(folder: str, expected: bool) -> None:
    path = Path(folder).expanduser()
    assert is_of_the_system(path) is expected
