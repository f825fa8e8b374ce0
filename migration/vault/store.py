"""Between the vault and the rows: seals what is to be stored, opens what was, keeps a backup in two places."""

import json
from collections.abc import Mapping

from pydantic import SecretStr

from migration.errors import BackupNotKept
from migration.vault.sealing import BackupShelf, Sealed, Vault, WrongKey
from state.rows import SealedSecret
from state.secrets import Secrets


class SecretStore:
    """The context of each secret is its owner and name, so a row moved to another number does not open."""

    def __init__(self, vault: Vault, secrets: Secrets, shelf: BackupShelf) -> None:
        self._vault = vault
        self._secrets = secrets
        self._shelf = shelf

    def sealed(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        sealed = self._vault.seal(value, context=f"{owner}/{name}")
        return SealedSecret(name, sealed.ciphertext, sealed.wrapped_key, sealed.key_id)

    async def seal(self, owner: str, name: str, value: SecretStr) -> SealedSecret:
        return self.sealed(owner, name, value)

    async def open(self, owner: str, name: str) -> SecretStr | None:
        """Raises WrongKey when the master key is not the one it was sealed under."""
        row = await self._secrets.get(owner, name)
        return None if row is None else self._opened(owner, row)

    def _opened(self, owner: str, row: SealedSecret) -> SecretStr:
        return self._vault.open(Sealed(row.ciphertext, row.wrapped_key, row.key_id), context=f"{owner}/{row.name}")

    async def seal_intent(
        self, migration_id: int, attempt: int, secret: Mapping[str, SecretStr]
    ) -> SealedSecret | None:
        """All secrets of an intent as one sealed row; None when it has none."""
        if not secret:
            return None
        told = json.dumps({name: value.get_secret_value() for name, value in sorted(secret.items())})
        return self.sealed(_intent_owner(migration_id, attempt), "intent", SecretStr(told))

    async def open_intent(self, migration_id: int, attempt: int) -> Mapping[str, SecretStr]:
        told = await self.open(_intent_owner(migration_id, attempt), "intent")
        if told is None:
            return {}
        return {name: SecretStr(value) for name, value in json.loads(told.get_secret_value()).items()}

    async def keep_twice(self, owner: str, name: str, value: SecretStr) -> None:
        """Seal, store in the database and on the shelf, read both back, open and compare.

        Raises BackupNotKept, and then nothing counts as backed up.
        """
        row = self.sealed(owner, name, value)
        place = f"{owner.replace(':', '-')}-{name}"
        try:
            self._shelf.put(place, Sealed(row.ciphertext, row.wrapped_key, row.key_id))
            await self._secrets.put(owner, row)
            on_shelf = self._vault.open(self._shelf.get(place), context=f"{owner}/{name}")
        except OSError as exc:
            raise BackupNotKept(f"the {name} cannot be written to the shelf of backups: {exc.strerror}") from exc
        except WrongKey as exc:
            raise BackupNotKept(f"the {name} did not come back from the shelf of backups: {exc}") from exc
        in_database = await self.open(owner, name)
        told = value.get_secret_value()
        if in_database is None or {on_shelf.get_secret_value(), in_database.get_secret_value()} != {told}:
            raise BackupNotKept(f"the {name} did not come back as it was stored")

    async def not_under_this_key(self) -> int:
        """How many data keys, of rows and of files on the shelf, the current master key does not open."""
        return await self._secrets.not_under(self._vault.key_id) + len(self._old_on_shelf())

    async def rewrap(self) -> int:
        """Wrap every data key that is under an older master key anew; how many there were.

        Rows in one transaction, then file after file: killed anywhere in between, the older key still opens the rest,
        and another run does what is left. Raises WrongKey for what none of the keys opens.
        """
        rows = await self._secrets.rewrap(self._rewrapped, not_under=self._vault.key_id)
        places = self._old_on_shelf()
        for place in places:
            kind, number, name = place.split("-", 2)  # as `keep_twice` names it
            self._shelf.put(place, self._vault.rewrap(self._shelf.get(place), context=f"{kind}:{number}/{name}"))
        return rows + len(places)

    def _rewrapped(self, owner: str, row: SealedSecret) -> SealedSecret:
        old = Sealed(row.ciphertext, row.wrapped_key, row.key_id)
        new = self._vault.rewrap(old, context=f"{owner}/{row.name}")
        return SealedSecret(row.name, new.ciphertext, new.wrapped_key, new.key_id)

    def _old_on_shelf(self) -> tuple[str, ...]:
        return tuple(place for place in self._shelf.places() if self._shelf.get(place).key_id != self._vault.key_id)

    async def shred_row(self, owner: str, name: str) -> None:
        """Destroy a secret that is kept in the database only."""
        await self._secrets.shred(owner, name)

    async def shred(self, owner: str, name: str) -> None:
        """Destroy a secret in both places."""
        await self._secrets.shred(owner, name)
        self._shelf.delete(f"{owner.replace(':', '-')}-{name}")


def _intent_owner(migration_id: int, attempt: int) -> str:
    return f"attempt:{migration_id}/{attempt}"


class NumberSecrets:
    """What a step may open: the secrets of its own number and the code that was typed in for it."""

    def __init__(self, keeper: SecretStore, number_id: int, *, has_code: bool) -> None:
        self._keeper = keeper
        self._owner = f"number:{number_id}"
        self._has_code = has_code

    async def open(self, name: str) -> SecretStr | None:
        return await self._keeper.open(self._owner, name)

    async def open_code(self) -> SecretStr | None:
        return await self._keeper.open(self._owner, "code") if self._has_code else None
