"""Writes sealed secrets inside the transaction of the caller."""

from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import SecretTable
from state.rows import SealedSecret


async def replace_secret(tx: AsyncConnection, owner: str, sealed: SealedSecret, at: datetime) -> None:
    """Make `sealed` the current secret of its owner and name.

    The one before it is marked as superseded, and stays until it is shredded.
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
    await tx.execute(
        insert(SecretTable).values(
            owner=owner,
            name=sealed.name,
            ciphertext=sealed.ciphertext,
            wrapped_key=sealed.wrapped_key,
            key_id=sealed.key_id,
            made_at=at,
        )
    )
