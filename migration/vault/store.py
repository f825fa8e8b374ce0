"""Stores secrets: seals them for the database, opens what is stored, and writes a second copy of each backup."""

import asyncio
import base64
import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from pydantic import SecretStr

from migration.errors import BackupNotKept
from migration.scrubbing.texts import remember
from migration.vault.backup_shelf import BackupShelf, ShelfFile, parse_file_name
from migration.vault.bound_password import secret_part
from migration.vault.sealing import Sealed, Vault, WrongKey
from state.ledger.shredding import BACKUP, PICTURE
from state.record_key import RecordKey
from state.rows import SealedSecret
from state.secrets import Secrets

RECORD_KEY = ("home", "record_key")  # owner and name
RECORD_KEY_BYTES = 32


class SecretStore:
    """The context of a secret is its owner and name, so a row that was copied to another number does not open."""

    def __init__(self, vault: Vault, rows: Secrets, shelf: BackupShelf) -> None:
        self._vault = vault
        self._secrets = rows
        self._shelf = shelf

    def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        """A row for the ledger to store."""
        if name != PICTURE:  # megabytes that no sentence has
            remember(secret_part(value))
        return self._seal(owner, name, value)

    def _seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        return _row(name, self._vault.seal(value, context=_context(owner, name)))

    async def open(self, owner: str, name: str) -> SecretStr | None:
        """The current secret, or None. Raises WrongKey when it was sealed under a master key that is not given."""
        return (await self.open_all([(owner, name)]))[0]

    async def open_all(self, named: Sequence[tuple[str, str]]) -> list[SecretStr | None]:
        """As `open`, the secrets of several owners and names in their order, read with one statement."""
        rows = await self._secrets.get_all(named)
        values = [self._opened(owner, rows.get((owner, name))) for owner, name in named]
        for (_, name), value in zip(named, values, strict=True):
            if value is not None and name != PICTURE:
                remember(secret_part(value))
        return values

    async def _open(self, owner: str, name: str) -> SecretStr | None:
        return self._opened(owner, await self._secrets.get(owner, name))

    def _opened(self, owner: str, row: SealedSecret | None) -> SecretStr | None:
        if row is None:
            return None
        name = row.name
        if not row.newest:
            raise WrongKey(
                f"an earlier {name} of {owner} was put back in the place of the newest; see docs/security.md"
            )
        return self._vault.open(_sealed(row), context=_context(owner, name))

    async def record_key(self, *, make: bool) -> RecordKey | None:
        """The key of the record; rotation only wraps it anew. None where there is none yet, and none was to be made."""
        raw = await self.open(*RECORD_KEY)
        if raw is None and make:
            owner, name = RECORD_KEY
            fresh = SecretStr(base64.b64encode(secrets.token_bytes(RECORD_KEY_BYTES)).decode())
            await self._secrets.put_once(owner, self.seal(owner, name, fresh))
            raw = await self.open(*RECORD_KEY)  # ours, or that of a process that was first
        return None if raw is None else RecordKey(base64.b64decode(raw.get_secret_value()))

    def seal_intent(self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]) -> SealedSecret | None:
        """All secrets of an intent as one row; None when it has none."""
        if not secret:
            return None
        plaintext = json.dumps({name: remember(value).get_secret_value() for name, value in sorted(secret.items())})
        return self._seal(_intent_owner(migration_id, attempt), "intent", SecretStr(plaintext))

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]:
        plaintext = await self._open(_intent_owner(migration_id, attempt), "intent")
        if plaintext is None:
            return {}
        return {name: remember(SecretStr(value)) for name, value in json.loads(plaintext.get_secret_value()).items()}

    async def shelve(self, owner: str, name: str, value: SecretStr, lease: tuple[int, int]) -> SealedSecret:
        """Write a backup to the shelf, read it back, open and compare it. Returns the row for the ledger to store.

        The row names the file, and the file counts from the moment when the row is committed; until then the row and
        the file before it do. `lease`: migration and fence of the worker. Raises BackupNotKept.
        """
        return await asyncio.to_thread(self._shelve, owner, name, value, ShelfFile(owner, name, lease))

    def _shelve(self, owner: str, name: str, value: SecretStr, file: ShelfFile) -> SealedSecret:
        row = self.seal(owner, name, value)
        try:
            self._shelf.put(file, _sealed(row))
            read_back = self._shelf.get(file)
            on_shelf = self._vault.open(read_back, context=_context(owner, name))
        except OSError as exc:
            raise BackupNotKept(f"the {name} cannot be written to the shelf of backups: {exc.strerror}") from exc
        except WrongKey as exc:
            raise BackupNotKept(f"the {name} did not come back from the shelf of backups: {exc}") from exc
        if on_shelf != value or read_back != _sealed(row):
            raise BackupNotKept(f"the {name} did not come back as it was stored")
        return replace(row, shelf_file=file.file_name)

    async def drop_older_copies(self, owner: str, name: str) -> None:
        """Remove the files that the current backup replaces, once that one opens in both of its places.

        Where it does not, every file stays. What cannot be removed now is removed after the next backup.
        """
        row = await self._secrets.get(owner, name)
        if row is None or row.shelf_file is None:
            return
        await asyncio.to_thread(self._drop_older_copies, owner, row, parse_file_name(row.shelf_file))

    def _drop_older_copies(self, owner: str, row: SealedSecret, file: ShelfFile) -> None:
        context = _context(owner, row.name)
        with suppress(OSError, WrongKey):
            on_shelf = self._vault.open(self._shelf.get(file), context=context)
            if on_shelf == self._vault.open(_sealed(row), context=context):
                self._shelf.drop_before(file)

    async def shred(self, owner: str, name: str) -> None:
        """Destroy a secret that is stored in the database only."""
        await self._secrets.shred(owner, name)

    async def remove_files(self, shredded: Collection[tuple[str, str | None]], kept: Collection[str]) -> int:
        """Destroy the shelf's files of backups that are destroyed in the database. Returns how many.

        `shredded`: owner and file; a backup of an earlier release named none. `kept`: owners that have one in force;
        of theirs, the earlier files go once that one opens in both of its places.
        """
        for owner in await asyncio.to_thread(self._shelf.owners_of_several):
            if owner in kept:
                await self.drop_older_copies(owner, BACKUP)
        gone = [(owner, file) for owner, file in shredded if owner not in kept]
        names = {file or ShelfFile(owner, BACKUP).file_name for owner, file in gone}
        return await asyncio.to_thread(self._shelf.remove_of, {owner for owner, _ in gone}, names)

    def remove_leftovers(self) -> None:
        """Temporary files on the shelf whose writers were killed."""
        self._shelf.remove_leftovers()

    # -- rotation of the master key

    async def count_under_older_keys(self) -> int:
        """How many data keys, in the database and on the shelf, are not wrapped by the current master key."""
        on_shelf = await asyncio.to_thread(self._shelf_under_older_keys)
        return await self._secrets.not_under(self._vault.key_id) + len(on_shelf)

    async def rewrap(self) -> int:
        """Wrap every data key that is under an older master key with the current one. Returns how many there were.

        Rows in short transactions, then one file after the other. After a crash in between, the older key still opens
        the rest, and another run completes it. Raises WrongKey for a data key that none of the keys opens.
        """
        rows = await self._secrets.rewrap(self._rewrapped_row, not_under=self._vault.key_id)
        return rows + await asyncio.to_thread(self._rewrap_shelf)

    def _rewrap_shelf(self) -> int:
        files = self._shelf_under_older_keys()
        for file in files:
            with suppress(FileNotFoundError):  # a newer backup has replaced it meanwhile
                sealed = self._shelf.get(file)
                self._shelf.put(file, self._vault.rewrap(sealed, context=_context(file.owner, file.name)))
        return len(files)

    def _rewrapped_row(self, owner: str, row: SealedSecret) -> SealedSecret:
        rewrapped = self._vault.rewrap(_sealed(row), context=_context(owner, row.name))
        return replace(_row(row.name, rewrapped), shelf_file=row.shelf_file)

    def _shelf_under_older_keys(self) -> tuple[ShelfFile, ...]:
        found = []
        for file in self._shelf.entries():
            with suppress(FileNotFoundError):  # a newer backup has replaced it meanwhile, or its time was over
                if self._shelf.get(file).key_id != self._vault.key_id:
                    found.append(file)
        return tuple(found)


class NumberSecrets:
    """What a step may open: the secrets of its own number, and the verification code that was typed in for it."""

    def __init__(self, store: SecretStore, number_id: int, *, has_code: bool) -> None:
        self._store = store
        self._owner = f"number:{number_id}"
        self._has_code = has_code

    async def open(self, name: str) -> SecretStr | None:
        return await self._store.open(self._owner, name)

    async def open_code(self) -> SecretStr | None:
        return await self._store.open(self._owner, "code") if self._has_code else None


def _context(owner: str, name: str) -> str:
    return f"{owner}/{name}"


def _intent_owner(migration_id: int, attempt: int) -> str:
    return f"attempt:{migration_id}/{attempt}"


def _sealed(row: SealedSecret) -> Sealed:
    return Sealed(row.ciphertext, row.wrapped_key, row.key_id, row.version)


def _row(name: str, sealed: Sealed) -> SealedSecret:
    return SealedSecret(name, sealed.ciphertext, sealed.wrapped_key, sealed.key_id, version=sealed.version)
