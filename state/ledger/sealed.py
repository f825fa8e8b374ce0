"""Writes sealed secrets inside the transaction of the caller."""

from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.errors import NotStored
from state.models import SecretTable
from state.rows import SealedSecret


async def replace_secret(tx: AsyncConnection, owner: str, sealed: SealedSecret, at: datetime) -> None:
    """Make `sealed` the current secret of its owner and name.

    The one before it is marked as superseded, and stays until it is shredded. A backup, which names its file, is read
    back: raises NotStored where the database gives back another row than was written.
    """
    await tx.execute(
        update(SecretTable)
        .where(
            SecretTable.owner == owner,
            SecretTable.name == sealed.name,
            SecretTable.superseded_at.is_(None),
            SecretTable.shredded_at.is_(None),
        )
        .values(superseded_at=at)
    )
    new = insert(SecretTable).values(
        owner=owner,
        name=sealed.name,
        ciphertext=sealed.ciphertext,
        wrapped_key=sealed.wrapped_key,
        key_id=sealed.key_id,
        made_at=at,
        shelf_file=sealed.shelf_file,
    )
    row_id = (await tx.execute(new.returning(SecretTable.id))).scalar_one()
    if sealed.shelf_file is not None and await _read_back(tx, row_id) != sealed:
        raise NotStored(f"the database did not give back the {sealed.name} as it was stored")


async def _read_back(tx: AsyncConnection, row_id: int) -> SealedSecret:
    columns = (SecretTable.name, SecretTable.ciphertext, SecretTable.wrapped_key, SecretTable.key_id)
    row = (await tx.execute(select(*columns, SecretTable.shelf_file).where(SecretTable.id == row_id))).one()
    return SealedSecret(row.name, row.ciphertext, row.wrapped_key or b"", row.key_id, row.shelf_file)
