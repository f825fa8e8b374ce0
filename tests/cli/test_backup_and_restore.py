"""A backup holds the whole home and no key; it comes back as a new epoch, or is refused in one line."""

import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.harness.cli_fixture import CliFixture

IN_EPOCH = {"side", "status", "reason", "runbook", "next_command", "on", "until"}


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(home / "cutover.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def facts(cli: CliFixture, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    numbers = cli.cutover("status", "--json", env=env).document["numbers"]
    return [{name: value for name, value in number.items() if name not in IN_EPOCH} for number in numbers]


@pytest.fixture
def taken(cli: CliFixture, tmp_path: Path) -> Path:
    (cli.home / "backups" / "number-1-backup.1.1.sealed").write_text("0123456789abcdef\nAAAA\nAAAA")
    output = cli.cutover("backup", str(tmp_path / "fleet.backup"))
    assert output.exit_code == 0, output.stderr
    return tmp_path / "fleet.backup"


@pytest.fixture
def elsewhere(cli: CliFixture, tmp_path: Path) -> dict[str, str]:
    """A home folder with the key and the admin file, and nothing else."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    for name in ("master.key", "cutover.toml", "token", "app_secret", "hook_secret"):
        shutil.copy(cli.home / name, home / name)
    return {"CUTOVER_HOME": str(home)}


def sides_shown(cli: CliFixture) -> set[str]:
    return {number["side"] for number in cli.cutover("status", "--json").document["numbers"]}


def test_a_home_comes_back_whole_in_a_new_epoch(cli: CliFixture, taken: Path, elsewhere: dict[str, str]) -> None:
    before, home = facts(cli), Path(elsewhere["CUTOVER_HOME"])
    output = cli.cutover("restore", str(taken), "--json", env=elsewhere)
    assert output.exit_code == 0, output.stderr
    assert output.document["epoch"] == 1
    assert facts(cli, elsewhere) == before
    for table in ("secrets", "numbers", "customers", "instances", "findings", "wabas"):
        assert rows(home, f"SELECT * FROM {table}") == rows(cli.home, f"SELECT * FROM {table}")
    assert (home / "backups" / "number-1-backup.1.1.sealed").read_text() == "0123456789abcdef\nAAAA\nAAAA"
    assert (home / "cutover.db").stat().st_mode & 0o077 == 0
    assert cli.cutover("show", "N-0001", "--json", env=elsewhere).document["history_intact"] is True


def test_after_a_restore_no_number_moves_before_somebody_looked(
    cli: CliFixture, taken: Path, elsewhere: dict[str, str]
) -> None:
    assert cli.cutover("restore", str(taken), env=elsewhere).exit_code == 0
    calls = len(cli.sandbox.control("GET", "calls"))
    assert cli.cutover("run", "--patience", "0", env=elsewhere).exit_code == 3
    assert len(cli.sandbox.control("GET", "calls")) == calls
    numbers = cli.cutover("status", "--json", env=elsewhere).document["numbers"]
    assert {number["runbook"] for number in numbers} == {"runbooks/restored.md"}


def test_announcements_after_a_restore_have_higher_epochs(
    cli: CliFixture, taken: Path, elsewhere: dict[str, str]
) -> None:
    query = "SELECT epoch FROM number_migrations WHERE ended_at IS NULL"
    before = rows(cli.home, query)
    assert cli.cutover("restore", str(taken), env=elsewhere).exit_code == 0
    after = rows(Path(elsewhere["CUTOVER_HOME"]), query)
    assert min(after)[0] >= max(before)[0] + 1000


def test_calls_that_nobody_knows_count_as_spent(cli: CliFixture, taken: Path, elsewhere: dict[str, str]) -> None:
    assert cli.cutover("restore", str(taken), env=elsewhere).exit_code == 0
    assert cli.cutover("show", "N-0001", "--json", env=elsewhere).document["register_calls_72h"] == 7


def test_calls_that_the_old_database_knows_are_taken_over(cli: CliFixture, taken: Path) -> None:
    with sqlite3.connect(cli.home / "cutover.db") as database:
        database.execute(
            "INSERT INTO budget_calls (phone_number_id, call, at, before_import) SELECT phone_number_id, 'register', "
            "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000', 0 FROM numbers WHERE ref = 'N-0001'"
        )
    database.close()
    output = cli.cutover("restore", str(taken), "--move-aside", "--json")
    assert (output.exit_code, output.document["calls_since_known"]) == (0, True)
    assert cli.cutover("show", "N-0001", "--json").document["register_calls_72h"] == 1
    (aside,) = output.document["moved_aside"]
    assert Path(aside).exists()


def test_a_home_that_is_not_empty_is_left_alone(cli: CliFixture, taken: Path) -> None:
    before = rows(cli.home, "SELECT * FROM numbers")
    output = cli.cutover("restore", str(taken))
    assert (output.exit_code, "--move-aside" in output.error_line) == (1, True)
    assert rows(cli.home, "SELECT * FROM numbers") == before
    assert rows(cli.home, "SELECT epoch FROM home") == [(0,)]


def test_a_lost_database_comes_back_beside_its_shelf(cli: CliFixture, taken: Path) -> None:
    before = facts(cli)
    for path in cli.home.glob("cutover.db*"):
        path.unlink()
    assert "cutover restore FILE" in cli.cutover("status").error_line
    assert cli.cutover("restore", str(taken)).exit_code == 0
    assert facts(cli) == before


def test_a_copy_that_was_put_back_by_hand_counts_as_a_restore(cli: CliFixture, tmp_path: Path) -> None:
    shutil.copy(cli.home / "cutover.db", tmp_path / "copy.db")
    assert cli.cutover("hold", "N-0001").exit_code == 0
    for path in cli.home.glob("cutover.db*"):
        path.unlink()
    shutil.copy(tmp_path / "copy.db", cli.home / "cutover.db")
    assert "An older copy of the database" in cli.cutover("status").stdout
    assert sides_shown(cli) == {"unknown"}, "what the copy says of a number is not shown as true"
    calls = len(cli.sandbox.control("GET", "calls"))
    assert cli.cutover("run", "--patience", "0").exit_code == 3
    assert len(cli.sandbox.control("GET", "calls")) == calls
    numbers = cli.cutover("status", "--json").document["numbers"]
    assert {number["runbook"] for number in numbers} == {"runbooks/restored.md"}
    assert "an older copy of the database" in numbers[0]["reason"]
    assert sides_shown(cli) == {"unknown"}
    assert cli.cutover("show", "N-0001", "--json").document["register_calls_72h"] == 7
    assert rows(cli.home, "SELECT epoch FROM home") == [(1,)]
    cli.cutover("run", "--patience", "0")
    assert rows(cli.home, "SELECT epoch FROM home") == [(1,)], "once"
    assert cli.cutover("restore", "--look").exit_code == 0
    assert sides_shown(cli) == {"on_premises"}


def test_a_backup_overwrites_nothing_and_is_private(cli: CliFixture, taken: Path) -> None:
    content = taken.read_bytes()
    output = cli.cutover("backup", str(taken))
    assert (output.exit_code, "overwrites nothing" in output.error_line) == (1, True)
    assert taken.read_bytes() == content
    assert taken.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in taken.parent.iterdir() if path.name.startswith(".")] == []


def test_the_master_key_is_never_in_a_backup(cli: CliFixture, taken: Path, tmp_path: Path) -> None:
    key = (cli.home / "master.key").read_text().strip()
    with zipfile.ZipFile(taken) as archive:
        assert not [name for name in archive.namelist() if key.encode() in archive.read(name)]
    (cli.home / "backups" / "number-2-backup.1.1.sealed").write_text(f"0123456789abcdef\n{key}\nAAAA")
    output = cli.cutover("backup", str(tmp_path / "second.backup"))
    assert (output.exit_code, "holds the master key" in output.error_line, key in output.stderr) == (1, True, False)
    assert not (tmp_path / "second.backup").exists()


@pytest.mark.parametrize("place", [0, 20, 60, 104, 105, 400, 0.5, 0.9, -1])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_backup_is_one_line(
    cli: CliFixture, taken: Path, elsewhere: dict[str, str], place: object, damage: str
) -> None:
    content: bytes = taken.read_bytes()
    assert isinstance(place, int | float)
    at = int(place * len(content)) if isinstance(place, float) else place % len(content)
    changed = {"cut": content[:at], "changed": content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]}[damage]
    taken.write_bytes(changed)
    output = cli.cutover("restore", str(taken), env=elsewhere)
    assert output.exit_code == 1
    assert "nothing was changed" in output.error_line
    assert not (Path(elsewhere["CUTOVER_HOME"]) / "cutover.db").exists()


def test_another_key_is_refused_before_anything_is_touched(
    cli: CliFixture, taken: Path, elsewhere: dict[str, str]
) -> None:
    other = Path(elsewhere["CUTOVER_HOME"])
    (other / "master.key").unlink()
    assert cli.cutover("init", env=elsewhere).exit_code == 0
    output = cli.cutover("restore", str(taken), env=elsewhere)
    assert (output.exit_code, "sealed under master key" in output.error_line) == (1, True)


def test_a_backup_needs_no_key(cli: CliFixture, tmp_path: Path) -> None:
    (cli.home / "master.key").unlink()
    output = cli.cutover("backup", str(tmp_path / "x.backup"))
    assert (output.exit_code, "no key here to search for" in output.stdout) == (0, True)


def test_a_backup_that_cannot_be_written_names_the_file_that_was_asked_for(cli: CliFixture, tmp_path: Path) -> None:
    asked = tmp_path / "missing" / "fleet.backup"
    output = cli.cutover("backup", str(asked))
    assert output.exit_code == 1
    assert output.stderr.strip() == f"cutover: {asked}: No such file or directory"
