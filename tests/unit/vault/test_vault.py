"""Sealing: what opens, what must not, what rotation keeps and what shredding destroys."""

import base64
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from migration.errors import BackupNotKept, BadSetting
from migration.vault.sealing import (
    BackupShelf,
    MasterKeys,
    Sealed,
    Vault,
    WrongKey,
    key_id,
    new_master_key,
    write_private,
)
from migration.vault.store import SecretStore
from state.database import open_database
from state.rows import SealedSecret
from state.secrets import Secrets
from state.types import HandedClock

CONTEXT = "number:1/pin"
PIN = SecretStr("123456")
NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)


def vault(current: SecretStr | None = None, *older: SecretStr) -> Vault:
    return Vault(MasterKeys(new_master_key() if current is None else current, older))


def flipped(told: bytes, at: int) -> bytes:
    return told[:at] + bytes([told[at] ^ 1]) + told[at + 1 :]


# -- sealing


@pytest.mark.parametrize("secret", ["123456", "", "ä€\U0001f512", "x" * 200_000])
def test_what_was_sealed_opens(secret: str) -> None:
    one = vault()
    sealed = one.seal(SecretStr(secret), context=CONTEXT)
    assert one.open(sealed, context=CONTEXT).get_secret_value() == secret
    assert not secret or secret.encode() not in sealed.ciphertext + sealed.wrapped_key


def test_each_sealing_has_a_data_key_and_a_nonce_of_its_own() -> None:
    one = vault()
    first, second = one.seal(PIN, context=CONTEXT), one.seal(PIN, context=CONTEXT)
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key
    with pytest.raises(WrongKey):
        one.open(replace(first, wrapped_key=second.wrapped_key), context=CONTEXT)


@pytest.mark.parametrize("context", ["number:2/pin", "number:1/code", "", "number:1/pin "])
def test_a_row_moved_to_another_number_does_not_open(context: str) -> None:
    one = vault()
    with pytest.raises(WrongKey):
        one.open(one.seal(PIN, context=CONTEXT), context=context)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("at", [0, 12, -1])
def test_a_changed_bit_does_not_open(part: str, at: int) -> None:
    one = vault()
    sealed = one.seal(PIN, context=CONTEXT)
    told = getattr(sealed, part)
    changed: dict[str, Any] = {part: flipped(told, at % len(told))}
    with pytest.raises(WrongKey):
        one.open(replace(sealed, **changed), context=CONTEXT)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_ciphertext_cut_short_does_not_open(length: int) -> None:
    one = vault()
    sealed = one.seal(PIN, context=CONTEXT)
    with pytest.raises(WrongKey):
        one.open(replace(sealed, ciphertext=sealed.ciphertext[:length]), context=CONTEXT)


def test_another_master_key_is_named_and_sent_to_the_runbook() -> None:
    one, other = vault(), vault()
    with pytest.raises(WrongKey, match=rf"{one.key_id}.*{other.key_id}.*runbooks/key-lost\.md"):
        other.open(one.seal(PIN, context=CONTEXT), context=CONTEXT)


def test_another_master_key_under_the_same_id_does_not_open_either() -> None:
    one, other = vault(), vault()
    sealed = replace(one.seal(PIN, context=CONTEXT), key_id=other.key_id)
    with pytest.raises(WrongKey):
        other.open(sealed, context=CONTEXT)


# -- keys


@pytest.mark.parametrize("key", ["", "short", "ü" * 44, base64.urlsafe_b64encode(b"x" * 31).decode(), "A" * 400])
def test_a_damaged_key_is_a_bad_setting_that_does_not_show_it(key: str) -> None:
    with pytest.raises(BadSetting, match="not 32 bytes in base64") as raised:
        vault(SecretStr(key))
    assert not key or key not in str(raised.value)


def test_the_id_of_a_key_does_not_give_it_away() -> None:
    key = new_master_key()
    keys = MasterKeys(key, (new_master_key(),))
    assert key_id(key) not in key.get_secret_value()
    assert key.get_secret_value() not in repr(keys) + str(keys) + repr(Vault(keys).__class__)


# -- rotation


def test_rotation_keeps_the_ciphertext_and_needs_the_old_key_no_longer() -> None:
    old, new = new_master_key(), new_master_key()
    sealed = vault(old).seal(PIN, context=CONTEXT)
    both = vault(new, old)
    assert both.open(sealed, context=CONTEXT) == PIN, "an older key still opens"
    moved = both.rewrap(sealed, context=CONTEXT)
    assert moved.ciphertext == sealed.ciphertext
    assert moved.key_id == key_id(new) != sealed.key_id
    assert vault(new).open(moved, context=CONTEXT) == PIN
    with pytest.raises(WrongKey):
        vault(old).open(moved, context=CONTEXT)


def test_what_is_sealed_after_a_rotation_is_under_the_new_key() -> None:
    old, new = new_master_key(), new_master_key()
    assert vault(new, old).seal(PIN, context=CONTEXT).key_id == key_id(new)


def test_rotation_refuses_what_was_moved_to_another_number() -> None:
    one = vault()
    with pytest.raises(WrongKey):
        one.rewrap(one.seal(PIN, context=CONTEXT), context="number:2/pin")


async def test_rotating_all_rows(database_url: str) -> None:
    old, new = new_master_key(), new_master_key()
    engine = open_database(database_url)
    rows = Secrets(engine, HandedClock(lambda: NOW))
    shelf = BackupShelf(Path("unused"))
    before = SecretStore(vault(old), rows, shelf)
    for owner in ("number:1", "number:2"):
        await rows.put(owner, before.sealed(owner, "pin", SecretStr(f"pin of {owner}")))
    await rows.put("number:1", before.sealed("number:1", "pin", SecretStr("the newer one")))
    await rows.put("number:3", before.sealed("number:3", "pin", PIN))
    await rows.shred("number:3")
    both = vault(new, old)

    def wrap(owner: str, row: SealedSecret) -> SealedSecret:
        moved = both.rewrap(Sealed(row.ciphertext, row.wrapped_key, row.key_id), context=f"{owner}/{row.name}")
        return SealedSecret(row.name, moved.ciphertext, moved.wrapped_key, moved.key_id)

    assert await rows.rewrap(wrap, not_under=both.key_id) == 3, "superseded rows too, shredded ones not"
    assert await rows.rewrap(wrap, not_under=both.key_id) == 0
    after = SecretStore(vault(new), rows, shelf)
    assert await after.open("number:1", "pin") == SecretStr("the newer one")
    assert await after.open("number:2", "pin") == SecretStr("pin of number:2")
    assert await after.open("number:3", "pin") is None
    await engine.dispose()


# -- shredding


async def test_shredding_deletes_every_data_key_of_that_name(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url)
    rows = Secrets(engine, HandedClock(lambda: NOW))
    keeper = SecretStore(vault(), rows, BackupShelf(tmp_path / "shelf"))
    await rows.put("number:1", keeper.sealed("number:1", "pin", SecretStr("the first")))
    await rows.put("number:1", keeper.sealed("number:1", "pin", SecretStr("the second")))
    await rows.put("number:1", keeper.sealed("number:1", "code", SecretStr("987654")))
    await rows.put("number:2", keeper.sealed("number:2", "pin", SecretStr("another")))
    assert await rows.shred("number:1", "pin") == 2
    assert await keeper.open("number:1", "pin") is None
    assert await keeper.open("number:1", "code") == SecretStr("987654")
    assert await keeper.open("number:2", "pin") == SecretStr("another")
    async with engine.connect() as connection:
        left = await connection.execute(text("SELECT wrapped_key FROM secrets WHERE owner='number:1' AND name='pin'"))
        assert [row.wrapped_key for row in left] == [None, None]
    assert await rows.shred("number:1") == 1
    await rows.put("number:1", keeper.sealed("number:1", "pin", SecretStr("a new life")))
    assert await keeper.open("number:1", "pin") == SecretStr("a new life")
    await engine.dispose()


# -- the second place


class Forgetful(BackupShelf):
    """A folder whose disk gives back something else than it was given."""

    def __init__(self, folder: Path, instead: Sealed) -> None:
        super().__init__(folder)
        self._instead = instead

    def get(self, place: str) -> Sealed:
        return self._instead


class ForgetfulRows(Secrets):
    """A database that kept another row."""

    def __init__(self, instead: SealedSecret | None) -> None:
        self._instead = instead

    async def put(self, owner: str, sealed: SealedSecret) -> None:
        pass

    async def get(self, owner: str, name: str) -> SealedSecret | None:
        return self._instead


async def test_a_backup_is_kept_in_two_places_that_only_the_owner_reads(database_url: str, tmp_path: Path) -> None:
    folder, key = tmp_path / "shelf", new_master_key()
    engine = open_database(database_url)
    keeper = SecretStore(vault(key), Secrets(engine, HandedClock(lambda: NOW)), BackupShelf(folder))
    os.umask(before := os.umask(0))
    try:
        os.umask(0)
        await keeper.keep_twice("number:1", "backup", SecretStr("the backup"))
    finally:
        os.umask(before)
    (path,) = folder.iterdir()
    assert path.name == "number-1-backup.sealed"
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"the backup" not in path.read_bytes()
    assert await keeper.open("number:1", "backup") == SecretStr("the backup")
    on_shelf = BackupShelf(folder).get("number-1-backup")
    assert vault(key).open(on_shelf, context="number:1/backup") == SecretStr("the backup")
    await keeper.shred("number:1", "backup")
    assert await keeper.open("number:1", "backup") is None
    assert list(folder.iterdir()) == []
    await engine.dispose()


async def test_a_shelf_that_gives_back_something_else_keeps_nothing(sqlite_url: str, tmp_path: Path) -> None:
    engine, one = open_database(sqlite_url), vault()
    shelf = Forgetful(tmp_path / "shelf", one.seal(SecretStr("another"), context="number:1/backup"))
    keeper = SecretStore(one, Secrets(engine, HandedClock(lambda: NOW)), shelf)
    with pytest.raises(BackupNotKept):
        await keeper.keep_twice("number:1", "backup", SecretStr("the backup"))
    await engine.dispose()


@pytest.mark.parametrize("lost", [True, False])
async def test_a_database_that_gives_back_something_else_keeps_nothing(lost: bool, tmp_path: Path) -> None:
    one = vault()
    other = one.seal(SecretStr("another"), context="number:1/backup")
    row = None if lost else SealedSecret("backup", other.ciphertext, other.wrapped_key, other.key_id)
    keeper = SecretStore(one, ForgetfulRows(row), BackupShelf(tmp_path / "shelf"))
    with pytest.raises(BackupNotKept):
        await keeper.keep_twice("number:1", "backup", SecretStr("the backup"))


@pytest.mark.parametrize("damage", ["", "one line", "a\nb\nc", "!\n!\n!"])
async def test_a_damaged_shelf_file_keeps_nothing(damage: str, sqlite_url: str, tmp_path: Path) -> None:
    class Damaging(BackupShelf):
        def put(self, place: str, sealed: Sealed) -> None:
            super().put(place, sealed)
            (tmp_path / "shelf" / f"{place}.sealed").write_text(damage)

    engine = open_database(sqlite_url)
    keeper = SecretStore(vault(), Secrets(engine, HandedClock(lambda: NOW)), Damaging(tmp_path / "shelf"))
    with pytest.raises((BackupNotKept, WrongKey)):
        await keeper.keep_twice("number:1", "backup", SecretStr("the backup"))
    await engine.dispose()


def test_a_write_that_fails_leaves_no_half_file(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(OSError, match="place"):
        write_private(tmp_path / "place", "secret")
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_private_file_replaces_a_readable_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
