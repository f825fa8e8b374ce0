"""Writes sealed secrets inside the transaction of the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.errors import AlreadyThere, NotStored
from state.ledger.inserting import chunks, insert_rows, write_or_nothing
from state.models import SecretTable
from state.rows import SealedSecret

# How often a secret is stored again because another writer has stored one of its name at the same moment.
WRITERS_AT_ONCE = 5

# Made once: every number has them.
_INSERT = insert(SecretTable)
_READ_BACK = select(
    SecretTable.name,
    SecretTable.ciphertext,
    SecretTable.wrapped_key,
    SecretTable.key_id,
    SecretTable.shelf_file,
    SecretTable.version,
).where(SecretTable.id == bindparam("w_id"))


def secret_columns_of(owner: str, sealed: SealedSecret) -> dict[str, Any]:
    """Without the time."""
    return {
        "owner": owner,
        "name": sealed.name,
        "ciphertext": sealed.ciphertext,
        "wrapped_key": sealed.wrapped_key,
        "key_id": sealed.key_id,
        "shelf_file": sealed.shelf_file,
        "version": sealed.version,
    }


async def store_intent(tx: AsyncConnection, owner: str, sealed: SealedSecret, at: datetime) -> None:
    """The secrets of a new attempt, which never had others."""
    await tx.execute(_INSERT, secret_columns_of(owner, sealed) | {"made_at": at})


async def replace_secret(
    tx: AsyncConnection,
    owner: str,
    sealed: SealedSecret,
    at: datetime,
    *,
    proved: bool = False,
    earlier_are_gone: bool = False,
) -> None:
    """Make `sealed` the current secret of its owner and name.

    `proved`: the far side has accepted it, so every earlier one is destroyed. Otherwise the one before it is marked as
    superseded, and stays until `sealed` was proved. `earlier_are_gone`: the caller has destroyed them. A backup, which
    names its file, is read back: raises NotStored where the database gives back another row than was written.
    """
    for attempt in range(WRITERS_AT_ONCE):
        if attempt > 0 or not earlier_are_gone:
            await (_shred_earlier if proved else _supersede)(tx, [owner], sealed.name, at)
        row = secret_columns_of(owner, sealed) | {"made_at": at}
        row_id = (await write_or_nothing(tx, SecretTable, row, returning=SecretTable.id)).scalar_one_or_none()
        if row_id is not None:  # otherwise another writer has stored one meanwhile, and ours replaces it
            break
    else:
        raise AlreadyThere(f"the {sealed.name} of {owner} is being replaced all the time; try again")
    if sealed.shelf_file is not None and await _read_back(tx, row_id) != sealed:
        raise NotStored(f"the database did not give back the {sealed.name} as it was stored")


async def replace_secrets(tx: AsyncConnection, secrets: Sequence[tuple[str, SealedSecret]], at: datetime) -> None:
    """The same for many owners, with a few statements. Raises AlreadyThere."""
    for name in sorted({sealed.name for _, sealed in secrets}):
        for part in chunks([owner for owner, sealed in secrets if sealed.name == name]):
            await _supersede(tx, part, name, at)
    await insert_rows(tx, SecretTable, [secret_columns_of(*secret) | {"made_at": at} for secret in secrets])


async def _shred_earlier(tx: AsyncConnection, owners: Sequence[str], name: str, at: datetime) -> None:
    earlier = (SecretTable.owner.in_(owners), SecretTable.name == name, SecretTable.shredded_at.is_(None))
    since = func.coalesce(SecretTable.superseded_at, at)
    await tx.execute(update(SecretTable).where(*earlier).values(superseded_at=since, shredded_at=at, wrapped_key=None))


async def _supersede(tx: AsyncConnection, owners: Sequence[str], name: str, at: datetime) -> None:
    await tx.execute(
        update(SecretTable)
        .where(
            SecretTable.owner.in_(owners),
            SecretTable.name == name,
            SecretTable.superseded_at.is_(None),
            SecretTable.shredded_at.is_(None),
        )
        .values(superseded_at=at)
    )


async def _read_back(tx: AsyncConnection, row_id: int) -> SealedSecret:
    row = (await tx.execute(_READ_BACK, {"w_id": row_id})).one()
    return SealedSecret(row.name, row.ciphertext, row.wrapped_key or b"", row.key_id, row.shelf_file, row.version)
