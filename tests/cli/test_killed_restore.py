"""A backup while others write is of one moment; a restore that is killed leaves the old home or the new one."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import select, text, update

from state.database import open_database
from state.models import HomeTable, NumberTable
from tests.harness.cli_fixture import CliFixture, SandboxProcess, build_cli_fixture

POINTS = (
    "checked",
    "files added to the shelf",
    "new database built",
    "old database kept",
    "identities put aside",
    "database replaced",
    "files of the shelf replaced",
)
POINTS_OF_A_SERVER = (
    "checked",
    "files added to the shelf",
    "old tables moved",
    "new tables filled",
    "identities put aside",
    "database replaced",
    "files of the shelf replaced",
)
KILLED = 9
# Restores in a process of its own, which ends without any clean-up at the point that its first argument names.
PROGRAM = f"""
import asyncio, os, sys
from pathlib import Path
from migration.home.restoring import restore
from migration.settings import read_settings

def reached(point):
    if point == sys.argv[1]:
        os._exit({KILLED})

asyncio.run(restore(read_settings(), Path(sys.argv[2]), move_aside=True, reached=reached))
"""
NEWER = "after the backup"


def kill_at(cli: CliFixture, point: str, backup: Path) -> None:
    argv = [sys.executable, "-c", PROGRAM, point, str(backup)]
    ended = subprocess.run(argv, env={**os.environ, **cli.env}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == KILLED, ended.stderr


def change(cli: CliFixture, statement: Any) -> Any:
    """Execute a statement on the home's database, as another process; gives the rows that it returns."""

    async def execute() -> Any:
        database = open_database(cli.env.get("CUTOVER_DATABASE_URL") or f"sqlite+aiosqlite:///{cli.home}/cutover.db")
        try:
            async with database.begin() as connection:
                result = await connection.execute(statement)
                return result.all() if result.returns_rows else None
        finally:
            await database.dispose()

    return asyncio.run(execute())


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def home(request: pytest.FixtureRequest, tmp_path: Path, sandbox: SandboxProcess) -> CliFixture:
    """A home with a fleet, on either database."""
    if request.param == "sqlite":
        cli: CliFixture = request.getfixturevalue("cli")
        return cli
    cli = build_cli_fixture(tmp_path / "home", sandbox, request.getfixturevalue("empty_postgres_url"))
    assert cli.cutover("import", cli.inventory()).exit_code == 0
    return cli


def is_server(cli: CliFixture) -> bool:
    return "postgresql" in (cli.env.get("CUTOVER_DATABASE_URL") or "")


@pytest.fixture
def backup(home: CliFixture, tmp_path: Path) -> Path:
    """Taken before the fleet's newest change, with a file that the shelf has otherwise by now."""
    shelf = home.home / "backups" / "number-1-backup.1.1.sealed"
    shelf.write_text("0123456789abcdef\nAAAA\nAAAA")
    path = tmp_path / "fleet.backup"
    assert home.cutover("backup", str(path)).exit_code == 0
    change(home, update(NumberTable).values(tags=NEWER))
    shelf.write_text("0123456789abcdef\nBBBB\nBBBB")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("place", range(len(POINTS)))
def test_a_killed_restore_leaves_the_old_home_or_the_new_one(home: CliFixture, backup: Path, place: int) -> None:
    points = POINTS_OF_A_SERVER if is_server(home) else POINTS
    point = points[place]
    numbers = home.cutover("status", "--json").document["numbers"]
    kill_at(home, point, backup)
    output = home.cutover("status", "--json")
    assert output.exit_code == 0, output.stderr
    (epoch,) = {row.epoch for row in change(home, select(HomeTable.epoch))}
    tags = {row.tags for row in change(home, select(NumberTable.tags))}
    is_new = place >= points.index("database replaced")
    assert (epoch, NEWER in tags) == ((1, False) if is_new else (0, True))
    found = output.document["numbers"]
    assert [number["ref"] for number in found] == [number["ref"] for number in numbers]
    if is_new:
        assert {number["runbook"] for number in found} == {"runbooks/restored.md"}
        assert "cutover restore --look" in home.cutover("runbook", "restored").stdout
    again = home.cutover("restore", str(backup), "--move-aside", "--json")
    assert again.exit_code == 0, again.stderr
    assert {row.tags for row in change(home, select(NumberTable.tags))} != {NEWER}
    assert (home.home / "backups" / "number-1-backup.1.1.sealed").read_text().endswith("AAAA")
    assert [path.name for path in home.home.glob(".cutover.db.*")] == []
    assert home.cutover("status").exit_code == 0


@contextmanager
def writing(cli: CliFixture) -> Iterator[list[int]]:
    """Another process that gives every number the same tag, a new one in each transaction."""
    stop, written = Event(), list[int]()

    def write() -> None:
        while not stop.is_set():
            change(cli, update(NumberTable).values(tags=str(len(written))))
            written.append(len(written))

    thread = Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        stop.set()
        thread.join()


@pytest.mark.slow
def test_a_backup_while_others_write_is_of_one_moment(home: CliFixture, tmp_path: Path) -> None:
    with writing(home) as written:
        for number in range(5):
            path = tmp_path / f"{number}.backup"
            assert home.cutover("backup", str(path)).exit_code == 0
    assert len(written) > 5
    for number in range(5):
        assert home.cutover("restore", str(tmp_path / f"{number}.backup"), "--move-aside").exit_code == 0
        assert len({row.tags for row in change(home, select(NumberTable.tags))}) == 1


def test_a_restore_while_somebody_reads_is_refused_or_whole(home: CliFixture, backup: Path) -> None:
    if is_server(home):
        return

    async def restore_while_reading() -> None:
        database = open_database(f"sqlite+aiosqlite:///{home.home}/cutover.db")
        try:
            async with database.connect() as connection:
                await connection.execute(text("SELECT * FROM numbers"))
                output = await asyncio.to_thread(home.cutover, "restore", str(backup), "--move-aside")
                assert output.exit_code == 1
                assert "is in use" in output.error_line
        finally:
            await database.dispose()

    asyncio.run(restore_while_reading())
    assert {row.tags for row in change(home, select(NumberTable.tags))} == {NEWER}
