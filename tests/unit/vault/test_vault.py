"""Sealing, key rotation, shredding, and the two places of a backup."""

import base64
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from migration.errors import BadSetting
from migration.vault.backup_shelf import BackupShelf
from migration.vault.private_file import write_private
from migration.vault.sealing import MasterKeys, MissingKey, Sealed, Vault, WrongKey, key_id, new_master_key
from migration.vault.store import SecretStore
from state.database import open_database
from state.rows import SealedSecret
from state.secrets import Secrets
from tests.harness.clock import FakeSqlClock

CONTEXT = "number:1/pin"
PIN = SecretStr("123456")
NOW = datetime(2025, 9, 1, 8, 0, tzinfo=UTC)


def vault(current: SecretStr | None = None, *older: SecretStr) -> Vault:
    return Vault(MasterKeys(new_master_key() if current is None else current, older))


def flip_bit(data: bytes, index: int) -> bytes:
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


# -- sealing


@pytest.mark.parametrize("secret", ["123456", "", "ä€\U0001f512", "x" * 200_000])
def test_a_sealed_secret_opens(secret: str) -> None:
    sealer = vault()
    sealed = sealer.seal(SecretStr(secret), context=CONTEXT)
    assert sealer.open(sealed, context=CONTEXT).get_secret_value() == secret
    assert not secret or secret.encode() not in sealed.ciphertext + sealed.wrapped_key


def test_each_sealing_has_its_own_data_key_and_nonce() -> None:
    sealer = vault()
    first, second = sealer.seal(PIN, context=CONTEXT), sealer.seal(PIN, context=CONTEXT)
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key
    with pytest.raises(WrongKey):
        sealer.open(replace(first, wrapped_key=second.wrapped_key), context=CONTEXT)


@pytest.mark.parametrize("context", ["number:2/pin", "number:1/code", "", "number:1/pin "])
def test_a_secret_does_not_open_for_another_owner_or_name(context: str) -> None:
    sealer = vault()
    with pytest.raises(WrongKey):
        sealer.open(sealer.seal(PIN, context=CONTEXT), context=context)


@pytest.mark.parametrize("part", ["ciphertext", "wrapped_key"])
@pytest.mark.parametrize("index", [0, 12, -1])
def test_a_changed_bit_is_detected(part: str, index: int) -> None:
    sealer = vault()
    sealed = sealer.seal(PIN, context=CONTEXT)
    data = getattr(sealed, part)
    changed: dict[str, Any] = {part: flip_bit(data, index % len(data))}
    with pytest.raises(WrongKey):
        sealer.open(replace(sealed, **changed), context=CONTEXT)


def test_one_secret_under_an_unknown_key_is_no_other_s_trouble() -> None:
    sealer = vault()
    good = sealer.seal(PIN, context=CONTEXT)
    sealer.open(good, context=CONTEXT)
    with pytest.raises(WrongKey, match="was sealed under master key 0123456789abcdef") as caught:
        sealer.open(replace(good, key_id="0123456789abcdef"), context=CONTEXT)
    assert not isinstance(caught.value, MissingKey)
    sealer.open(good, context=CONTEXT)


def test_a_key_that_is_replaced_while_a_worker_runs_concerns_every_number() -> None:
    first, other = new_master_key(), new_master_key()
    sealer = Vault(MasterKeys(first), lambda: MasterKeys(other))
    good = sealer.seal(PIN, context=CONTEXT)
    sealer.open(good, context=CONTEXT)
    for _ in range(2):
        with pytest.raises(MissingKey):
            sealer.open(replace(good, key_id="0123456789abcdef"), context=CONTEXT)


@pytest.mark.parametrize("length", [0, 5, 12, 20])
def test_a_truncated_ciphertext_does_not_open(length: int) -> None:
    sealer = vault()
    sealed = sealer.seal(PIN, context=CONTEXT)
    with pytest.raises(WrongKey):
        sealer.open(replace(sealed, ciphertext=sealed.ciphertext[:length]), context=CONTEXT)


def test_a_wrong_master_key_is_named_with_its_runbook() -> None:
    sealer, other = vault(), vault()
    with pytest.raises(WrongKey, match=rf"{sealer.key_id}.*{other.key_id}.*runbooks/key-lost\.md"):
        other.open(sealer.seal(PIN, context=CONTEXT), context=CONTEXT)


def test_a_wrong_master_key_with_the_same_id_does_not_open() -> None:
    sealer, other = vault(), vault()
    sealed = replace(sealer.seal(PIN, context=CONTEXT), key_id=other.key_id)
    with pytest.raises(WrongKey):
        other.open(sealed, context=CONTEXT)


# -- keys


@pytest.mark.parametrize("key", ["", "short", "ü" * 44, base64.urlsafe_b64encode(b"x" * 31).decode(), "A" * 400])
def test_a_damaged_key_is_a_bad_setting_and_is_not_shown(key: str) -> None:
    with pytest.raises(BadSetting, match="not 32 bytes in base64") as raised:
        vault(SecretStr(key))
    assert not key or key not in str(raised.value)


def test_the_id_of_a_key_does_not_reveal_the_key() -> None:
    key = new_master_key()
    keys = MasterKeys(key, (new_master_key(),))
    assert key_id(key) not in key.get_secret_value()
    assert key.get_secret_value() not in repr(keys) + str(keys) + repr(Vault(keys).__class__)


# -- rotation


def test_after_rotation_the_ciphertext_is_the_same_and_the_old_key_unneeded() -> None:
    old, new = new_master_key(), new_master_key()
    sealed = vault(old).seal(PIN, context=CONTEXT)
    both = vault(new, old)
    assert both.open(sealed, context=CONTEXT) == PIN, "an older key still opens"
    rewrapped = both.rewrap(sealed, context=CONTEXT)
    assert rewrapped.ciphertext == sealed.ciphertext
    assert rewrapped.key_id == key_id(new) != sealed.key_id
    assert vault(new).open(rewrapped, context=CONTEXT) == PIN
    with pytest.raises(WrongKey):
        vault(old).open(rewrapped, context=CONTEXT)


def test_a_secret_sealed_after_a_rotation_uses_the_new_key() -> None:
    old, new = new_master_key(), new_master_key()
    assert vault(new, old).seal(PIN, context=CONTEXT).key_id == key_id(new)


def test_rotation_refuses_a_secret_of_another_owner() -> None:
    sealer = vault()
    with pytest.raises(WrongKey):
        sealer.rewrap(sealer.seal(PIN, context=CONTEXT), context="number:2/pin")


async def test_rotation_rewraps_every_row_but_shredded_ones(database_url: str) -> None:
    old, new = new_master_key(), new_master_key()
    engine = open_database(database_url)
    rows = Secrets(engine, FakeSqlClock(lambda: NOW))
    shelf = BackupShelf(Path("unused"))
    before = SecretStore(vault(old), rows, shelf)
    for owner in ("number:1", "number:2"):
        await rows.put(owner, before.seal(owner, "pin", SecretStr(f"pin of {owner}")))
    await rows.put("number:1", before.seal("number:1", "pin", SecretStr("the newer one")))
    await rows.put("number:3", before.seal("number:3", "pin", PIN))
    await rows.shred("number:3")
    both = vault(new, old)

    def wrap(owner: str, row: SealedSecret) -> SealedSecret:
        sealed = Sealed(row.ciphertext, row.wrapped_key, row.key_id, row.version)
        rewrapped = both.rewrap(sealed, context=f"{owner}/{row.name}")
        return SealedSecret(row.name, rewrapped.ciphertext, rewrapped.wrapped_key, rewrapped.key_id)

    assert await rows.rewrap(wrap, not_under=both.key_id) == 3, "superseded rows too, shredded ones not"
    assert await rows.rewrap(wrap, not_under=both.key_id) == 0
    after = SecretStore(vault(new), rows, shelf)
    assert await after.open("number:1", "pin") == SecretStr("the newer one")
    assert await after.open("number:2", "pin") == SecretStr("pin of number:2")
    assert await after.open("number:3", "pin") is None
    await engine.dispose()


# -- shredding


async def test_shredding_deletes_every_data_key_of_the_secret(database_url: str, tmp_path: Path) -> None:
    engine = open_database(database_url)
    rows = Secrets(engine, FakeSqlClock(lambda: NOW))
    store = SecretStore(vault(), rows, BackupShelf(tmp_path / "shelf"))
    await rows.put("number:1", store.seal("number:1", "pin", SecretStr("the first")))
    await rows.put("number:1", store.seal("number:1", "pin", SecretStr("the second")))
    await rows.put("number:1", store.seal("number:1", "code", SecretStr("987654")))
    await rows.put("number:2", store.seal("number:2", "pin", SecretStr("another")))
    assert await rows.shred("number:1", "pin") == 2
    assert await store.open("number:1", "pin") is None
    assert await store.open("number:1", "code") == SecretStr("987654")
    assert await store.open("number:2", "pin") == SecretStr("another")
    async with engine.connect() as connection:
        keys = await connection.execute(text("SELECT wrapped_key FROM secrets WHERE owner='number:1' AND name='pin'"))
        assert [row.wrapped_key for row in keys] == [None, None]
    assert await rows.shred("number:1") == 1
    await rows.put("number:1", store.seal("number:1", "pin", SecretStr("a new life")))
    assert await store.open("number:1", "pin") == SecretStr("a new life")
    await engine.dispose()


# -- files


def test_a_failed_write_leaves_no_partial_file(tmp_path: Path) -> None:
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


# -- versions, and a key that is made meanwhile


def test_an_earlier_value_does_not_open_as_a_later_one() -> None:
    sealer = vault()
    earlier, later = sealer.seal(PIN, context=CONTEXT), sealer.seal(PIN, context=CONTEXT)
    assert earlier.version != later.version
    with pytest.raises(WrongKey):
        sealer.open(replace(earlier, version=later.version), context=CONTEXT)
    with pytest.raises(WrongKey):
        sealer.open(replace(earlier, version=None), context=CONTEXT)


def test_a_rotation_keeps_the_version() -> None:
    old, new = new_master_key(), new_master_key()
    sealed = vault(old).seal(PIN, context=CONTEXT)
    rewrapped = vault(new, old).rewrap(sealed, context=CONTEXT)
    assert rewrapped.version == sealed.version
    assert vault(new).open(rewrapped, context=CONTEXT) == PIN


def test_a_key_that_a_rotation_has_made_meanwhile_is_read() -> None:
    old, new = new_master_key(), new_master_key()
    rotated = vault(new, old).rewrap(vault(old).seal(PIN, context=CONTEXT), context=CONTEXT)
    worker = Vault(MasterKeys(old), lambda: MasterKeys(new, (old,)))
    assert worker.open(rotated, context=CONTEXT) == PIN
    assert worker.key_id == Vault(MasterKeys(new)).key_id
