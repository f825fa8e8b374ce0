"""A home that was copied with its folder says that there may be two; one that was renamed says nothing."""

import logging
import shutil
from pathlib import Path

import pytest

from migration.home.database_location import DatabasePlace, is_copy
from tests.harness.cli_fixture import CliFixture

SAID = "his database is a copy of the one of {home}/cutover.db"


@pytest.mark.parametrize(
    ("known", "now", "copied"),
    [
        ("inode:5 m1:/home/cutover.db", DatabasePlace("inode:5", "m1:/home/cutover.db"), False),
        ("inode:5 m1:/home/cutover.db", DatabasePlace("inode:5", "m1:/elsewhere/cutover.db"), False),
        ("inode:5 m1:/home/cutover.db", DatabasePlace("inode:6", "m1:/home/cutover.db"), False),
        ("inode:5 m1:/home/cutover.db", DatabasePlace("inode:6", "m1:/second/cutover.db"), True),
        ("inode:5 m1:/home/cutover.db", DatabasePlace("inode:6", "m2:/home/cutover.db"), True),
        ("inode:5 m1:/a folder/cutover.db", DatabasePlace("inode:6", "m1:/a folder/cutover.db"), False),
        ("oid:5.7 ", DatabasePlace("oid:5.7", ""), False),
        ("oid:5.7 ", DatabasePlace("oid:5.8", ""), True),
    ],
)
def test_what_is_a_copy(known: str, now: DatabasePlace, copied: bool) -> None:
    assert is_copy(known, now) is copied


def test_a_copied_home_says_so_until_it_is_worked_with(
    cli: CliFixture, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cli.cutover("hold", "N-0001")
    second, said = tmp_path / "second", SAID.format(home=cli.home)
    shutil.copytree(cli.home, second)
    env = {"CUTOVER_HOME": str(second)}
    assert said in cli.cutover("status", env=env).stdout
    with caplog.at_level(logging.WARNING):
        cli.cutover("hold", "N-0001", env=env)
    assert said in caplog.text
    assert said not in cli.cutover("status", env=env).stdout
    assert said not in cli.cutover("status").stdout, "the first home is where it was"


def test_a_home_that_was_renamed_says_nothing(cli: CliFixture, tmp_path: Path) -> None:
    cli.cutover("hold", "N-0001")
    moved = cli.home.rename(tmp_path / "moved")
    assert "is a copy" not in cli.cutover("status", env={"CUTOVER_HOME": str(moved)}).stdout
