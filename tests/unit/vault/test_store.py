"""The store of secrets on rows in memory: intents, rotation of rows and files, and what a step may open."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from migration.vault.backup_shelf import BackupShelf, ShelfFile
from migration.vault.private_file import write_private
from migration.vault.sealing import MasterKeys, Vault, WrongKey, new_master_key
from migration.vault.store import NumberSecrets, SecretStore
from state.rows import SealedSecret
from state.secrets import Secrets

PIN = SecretStr("123456")


class RowsInMemory(Secrets):
    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], SealedSecret] = {}

    async def put(self, owner: str, sealed: SealedSecret) -> None:
        self.rows[owner, sealed.name] = sealed

    async def get_all(self, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], SealedSecret]:
        return {key: self.rows[key] for key in named if key in self.rows}

    async def not_under(self, key_id: str) -> int:
        return sum(1 for row in self.rows.values() if row.key_id != key_id)

    async def rewrap(self, wrap: Callable[[str, SealedSecret], SealedSecret], *, not_under: str) -> int:
        older = {key: row for key, row in self.rows.items() if row.key_id != not_under}
        self.rows |= {key: wrap(key[0], row) for key, row in older.items()}
        return len(older)


def store_with(rows: Secrets, shelf: Path, current: SecretStr, *older: SecretStr) -> SecretStore:
    return SecretStore(Vault(MasterKeys(current, older)), rows, BackupShelf(shelf))


# -- intents


async def test_an_intent_without_secrets_is_not_sealed(tmp_path: Path) -> None:
    store = store_with(RowsInMemory(), tmp_path, new_master_key())
    assert store.seal_intent(7, 1, {}) is None
    assert await store.open_intent(7, 1) == {}


async def test_an_intent_opens_for_its_own_attempt_only(tmp_path: Path) -> None:
    rows = RowsInMemory()
    store = store_with(rows, tmp_path, new_master_key())
    sealed = store.seal_intent(7, 2, {"pin": PIN, "code": SecretStr("987654")})
    assert sealed is not None
    await rows.put("attempt:7/2", sealed)
    assert await store.open_intent(7, 2) == {"pin": PIN, "code": SecretStr("987654")}
    await rows.put("attempt:7/3", sealed)
    with pytest.raises(WrongKey):
        await store.open_intent(7, 3)


# -- rotation


async def test_rotation_rewraps_rows_and_files(tmp_path: Path) -> None:
    rows, old, new = RowsInMemory(), new_master_key(), new_master_key()
    sealed = await store_with(rows, tmp_path, old).shelve("number:1", "backup", SecretStr("the backup"), (7, 3))
    await rows.put("number:1", sealed)
    await rows.put("number:1", store_with(rows, tmp_path, old).seal("number:1", "pin", PIN))

    rotating = store_with(rows, tmp_path, new, old)
    assert await rotating.count_under_older_keys() == 3
    assert await rotating.rewrap() == 3
    assert await rotating.count_under_older_keys() == 0
    assert await rotating.rewrap() == 0

    rotated = store_with(rows, tmp_path, new)
    assert await rotated.open("number:1", "pin") == PIN
    on_shelf = BackupShelf(tmp_path).get(ShelfFile("number:1", "backup", (7, 3)))
    assert Vault(MasterKeys(new)).open(on_shelf, context="number:1/backup") == SecretStr("the backup")


async def test_rotation_after_a_crash_rewraps_the_rest(tmp_path: Path) -> None:
    rows, old, new = RowsInMemory(), new_master_key(), new_master_key()
    for owner in ("number:1", "number:2"):
        row = await store_with(rows, tmp_path, old).shelve(owner, "backup", SecretStr(owner), (7, 3))
        await rows.put(owner, row)
    vault, shelf, file = Vault(MasterKeys(new, (old,))), BackupShelf(tmp_path), ShelfFile("number:1", "backup", (7, 3))
    shelf.put(file, vault.rewrap(shelf.get(file), context="number:1/backup"))

    assert await store_with(rows, tmp_path, new, old).rewrap() == 3
    assert await store_with(rows, tmp_path, new).count_under_older_keys() == 0


# -- the shelf


def test_the_shelf_names_owner_name_and_lease_of_each_file(tmp_path: Path) -> None:
    sealed = Vault(MasterKeys(new_master_key())).seal(PIN, context="any")
    shelf = BackupShelf(tmp_path / "shelf")
    assert shelf.entries() == ()
    entries = (
        ShelfFile("number:1", "backup", (7, 12)),
        ShelfFile("number:1", "backup"),  # of a release that named no lease
        ShelfFile("number:12", "backup-password", (8, 1)),
    )
    for file in entries:
        shelf.put(file, sealed)
    assert shelf.entries() == entries
    assert [file.file_name for file in entries[:2]] == ["number-1-backup.7.12.sealed", "number-1-backup.sealed"]
    assert shelf.get(entries[2]) == sealed


@pytest.mark.parametrize("name", ["copy.sealed", "number-1-backup.7.sealed", "number-1-backup.x.y.sealed"])
def test_a_file_without_owner_and_name_is_damage(tmp_path: Path, name: str) -> None:
    write_private(tmp_path / name, "text")
    with pytest.raises(WrongKey, match=f"{name} is damaged"):
        BackupShelf(tmp_path).entries()


# -- what a step may open


async def test_a_step_opens_the_secrets_of_its_own_number_only(tmp_path: Path) -> None:
    rows = RowsInMemory()
    store = store_with(rows, tmp_path, new_master_key())
    await rows.put("number:2", store.seal("number:2", "pin", PIN))
    assert await NumberSecrets(store, 2, has_code=False).open("pin") == PIN
    assert await NumberSecrets(store, 1, has_code=False).open("pin") is None


@pytest.mark.parametrize("has_code", [True, False])
async def test_a_stored_code_opens_only_while_it_is_usable(tmp_path: Path, has_code: bool) -> None:
    rows = RowsInMemory()
    store = store_with(rows, tmp_path, new_master_key())
    code = SecretStr("987654")
    await rows.put("number:1", store.seal("number:1", "code", code))
    assert await NumberSecrets(store, 1, has_code=has_code).open_code() == (code if has_code else None)
