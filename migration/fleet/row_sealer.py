"""Seals the secrets of inventory rows when the ledger knows the ids that they are sealed for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from migration.fleet.inventory_row import InventoryRow
from migration.scrubbing.texts import remember
from migration.vault.bound_password import bound
from migration.vault.store import SecretStore
from state.ledger.fleet_rows import NewNumber
from state.rows import SealedSecret


@dataclass(slots=True)
class RowSealer:
    """`profiles` are secrets by name, by name of the profile; `rows` are by line of the file."""

    secret_store: SecretStore
    profiles: Mapping[str, Mapping[str, SecretStr]]
    rows: dict[int, InventoryRow] = field(default_factory=dict)

    def profile(self, name: str, owner: str) -> Sequence[SealedSecret]:
        return [self.secret_store.seal(owner, secret, value) for secret, value in self.profiles[name].items()]

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        pin = self.rows[new.line].pin
        return [self.secret_store.seal(owner, "pin", pin)] if pin is not None else []

    def instance(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]:
        password = self.rows[new.line].password
        if password is None or new.instance is None:
            return []
        return [self.secret_store.seal(owner, "password", bound(remember(password), new.instance.base_url))]
