"""A backup in its two places: the file is written and read back first, and counts with the row that names it."""

import os
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from migration.errors import BackupNotKept
from migration.vault.backup_shelf import BackupShelf, ShelfFile
from migration.vault.sealing import MasterKeys, Sealed, Vault, new_master_key
from migration.vault.store import SecretStore
from state.database import open_database
from state.errors import NotStored
from state.secrets import Secrets
from tests.harness.clock import FakeSqlClock
from tests.harness.hand_made_number import NOW

OWNER, NAME = "number:1", "backup"
FIRST, SECOND = SecretStr("the first"), SecretStr("the second")


class Places:
    """One number's backup, in the database and in a folder."""

    def __init__(self, engine: AsyncEngine, folder: Path, shelf: BackupShelf | None = None) -> None:
        self.folder = folder
        self.vault = Vault(MasterKeys(new_master_key()))
        self.rows = Secrets(engine, FakeSqlClock(lambda: NOW))
        self.shelf = shelf or BackupShelf(folder)
        self.store = SecretStore(self.vault, self.rows, self.shelf)

    async def keep(self, value: SecretStr, lease: tuple[int, int]) -> None:
        """As the recorder does."""
        await self.rows.put(OWNER, await self.store.shelve(OWNER, NAME, value, lease))
        await self.store.drop_older_copies(OWNER, NAME)

    async def both(self) -> tuple[SecretStr | None, SecretStr]:
        """What opens in the database, and in the file that its row names."""
        row = await self.rows.get(OWNER, NAME)
        assert row is not None
        file = next(file for file in self.shelf.entries() if file.file_name == row.shelf_file)
        return await self.store.open(OWNER, NAME), self.vault.open(self.shelf.get(file), context=f"{OWNER}/{NAME}")

    def files(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def places(engine: AsyncEngine, tmp_path: Path) -> Places:
    return Places(engine, tmp_path / "shelf")


async def test_a_backup_is_kept_in_two_places_readable_by_the_owner_only(places: Places) -> None:
    os.umask(before := os.umask(0))
    try:
        os.umask(0)
        await places.keep(FIRST, (7, 3))
    finally:
        os.umask(before)
    (path,) = places.folder.iterdir()
    assert (path.stat().st_mode & 0o777, places.folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"the first" not in path.read_bytes()
    assert await places.both() == (FIRST, FIRST)


async def test_the_file_is_written_in_a_thread(engine: AsyncEngine, tmp_path: Path) -> None:
    """A sync of a slow disk would hold every number of this worker."""
    threads = []

    class Watched(BackupShelf):
        def put(self, file: ShelfFile, sealed: Sealed) -> None:
            threads.append(threading.current_thread())
            super().put(file, sealed)

    folder = tmp_path / "shelf"
    await Places(engine, folder, Watched(folder)).keep(FIRST, (7, 3))
    assert threads != [threading.main_thread()]


# -- what stays when a worker dies between two writes


async def test_a_file_without_its_row_changes_nothing(places: Places) -> None:
    await places.keep(FIRST, (7, 3))
    await places.store.shelve(OWNER, NAME, SECOND, (7, 4))
    assert await places.both() == (FIRST, FIRST)
    await places.store.drop_older_copies(OWNER, NAME)
    assert len(places.files()) == 2, "the worker of the later lease may be about to record it"


async def test_a_row_whose_older_file_is_still_there_counts(places: Places) -> None:
    await places.keep(FIRST, (7, 3))
    await places.rows.put(OWNER, await places.store.shelve(OWNER, NAME, SECOND, (7, 4)))
    assert await places.both() == (SECOND, SECOND)
    assert places.files() == ["number-1-backup.7.3.sealed", "number-1-backup.7.4.sealed"]


async def test_the_next_backup_removes_what_earlier_ones_left(places: Places) -> None:
    for lease in ((0, 0), (7, 3), (7, 10)):
        await places.store.shelve(OWNER, NAME, FIRST, lease)
    await places.store.shelve("number:11", NAME, FIRST, (7, 3))
    await places.keep(SECOND, (8, 1))
    assert places.files() == ["number-1-backup.8.1.sealed", "number-11-backup.7.3.sealed"]
    assert await places.both() == (SECOND, SECOND)


@pytest.mark.parametrize("damage", ["", "one line", "a\nb\nc", "gone"])
async def test_no_file_is_removed_while_the_newest_does_not_open(places: Places, damage: str) -> None:
    await places.keep(FIRST, (7, 3))
    await places.rows.put(OWNER, await places.store.shelve(OWNER, NAME, SECOND, (7, 4)))
    newest = places.folder / "number-1-backup.7.4.sealed"
    newest.unlink() if damage == "gone" else newest.write_text(damage)
    await places.store.drop_older_copies(OWNER, NAME)
    assert "number-1-backup.7.3.sealed" in places.files()


async def test_no_file_is_removed_while_the_row_names_none(places: Places) -> None:
    """A row of an earlier release."""
    await places.store.shelve(OWNER, NAME, FIRST, (0, 0))
    await places.rows.put(OWNER, places.store.seal(OWNER, NAME, FIRST))
    await places.store.drop_older_copies(OWNER, NAME)
    assert places.files() == ["number-1-backup.sealed"]


# -- a backup that does not come back


@pytest.mark.parametrize("damage", ["", "one line", "a\nb\nc", "!\n!\n!"])
async def test_a_backup_with_a_damaged_file_is_not_kept(damage: str, engine: AsyncEngine, tmp_path: Path) -> None:
    class Damaging(BackupShelf):
        def put(self, file: ShelfFile, sealed: Sealed) -> None:
            super().put(file, sealed)
            (tmp_path / file.file_name).write_text(damage)

    places = Places(engine, tmp_path, Damaging(tmp_path))
    with pytest.raises(BackupNotKept):
        await places.keep(FIRST, (7, 3))
    assert await places.store.open(OWNER, NAME) is None


async def test_a_backup_that_the_shelf_gives_back_changed_is_not_kept(engine: AsyncEngine, tmp_path: Path) -> None:
    class Wrong(BackupShelf):
        def get(self, file: ShelfFile) -> Sealed:
            sealed = super().get(file)
            return replace(sealed, ciphertext=sealed.ciphertext[:-1] + bytes([sealed.ciphertext[-1] ^ 1]))

    places = Places(engine, tmp_path, Wrong(tmp_path))
    with pytest.raises(BackupNotKept, match="did not come back"):
        await places.keep(FIRST, (7, 3))
    assert await places.store.open(OWNER, NAME) is None


async def test_a_backup_that_the_database_gives_back_changed_is_not_kept(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_database(sqlite_url)
    places = Places(engine, tmp_path)
    await places.keep(FIRST, (7, 3))
    async with engine.begin() as tx:
        change = "UPDATE secrets SET ciphertext = substr(ciphertext, 1, 20) WHERE id = NEW.id"
        await tx.execute(text(f"CREATE TRIGGER cut AFTER INSERT ON secrets BEGIN {change}; END"))
    with pytest.raises(NotStored):
        await places.keep(SECOND, (7, 4))
    assert await places.both() == (FIRST, FIRST)
    await engine.dispose()
