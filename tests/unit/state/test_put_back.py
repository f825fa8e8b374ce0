"""An earlier secret put back in the place of a later one is refused, whichever way it was put."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from migration.vault.backup_shelf import BackupShelf
from migration.vault.sealing import MasterKeys, Vault, WrongKey, new_master_key
from migration.vault.store import SecretStore
from state.secrets import Secrets
from tests.harness.clock import FakeSqlClock
from tests.harness.ledger_fixture import LedgerFixture

OWNER, NAME = "number:1", "pin"
CURRENT, EARLIER = "superseded_at IS NULL", "superseded_at IS NOT NULL"


def taken(columns: str) -> str:
    """The earlier value's columns, in the current row."""
    values = ", ".join(f"{one} = (SELECT {one} FROM secrets WHERE {EARLIER})" for one in columns.split())
    return f"UPDATE secrets SET {values} WHERE {CURRENT}"


WAYS = {
    "its value": [taken("ciphertext wrapped_key key_id")],
    "its data key": [taken("wrapped_key key_id")],
    "without a version": [taken("ciphertext wrapped_key key_id"), "UPDATE secrets SET version = NULL"],
    "its row": [
        f"UPDATE secrets SET shredded_at = made_at, wrapped_key = NULL WHERE {CURRENT}",
        f"UPDATE secrets SET superseded_at = NULL WHERE {EARLIER}",
    ],
}


@pytest.mark.parametrize("way", WAYS)
async def test_an_earlier_value_is_refused(fixture: LedgerFixture, tmp_path: Path, way: str) -> None:
    rows = Secrets(fixture.engine, FakeSqlClock(lambda: fixture.now))
    store = SecretStore(Vault(MasterKeys(new_master_key())), rows, BackupShelf(tmp_path))
    for pin in ("111111", "222222"):
        await rows.put(OWNER, store.seal(OWNER, NAME, SecretStr(pin)))
    assert await store.open(OWNER, NAME) == SecretStr("222222")
    for statement in WAYS[way]:
        await fixture.sql(statement)
    with pytest.raises(WrongKey):
        await store.open(OWNER, NAME)
