"""Writing sealed rows inside somebody else's transaction."""

from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import Secret
from state.rows import SealedSecret


async def replace_secret(tx: AsyncConnection, owner: str, sealed: SealedSecret, at: datetime) -> None:
    """Make `sealed` the current secret of that name; the one before stays, superseded, until it is shredded."""
    await tx.execute(
        update(Secret)
        .where(
            Secret.owner == owner,
            Secret.name == sealed.name,
            Secret.superseded_at.is_(None),
            Secret.shredded_at.is_(None),
        )
        .values(superseded_at=at)
    )
    await tx.execute(
        insert(Secret).values(
            owner=owner,
            name=sealed.name,
            ciphertext=sealed.ciphertext,
            wrapped_key=sealed.wrapped_key,
            key_id=sealed.key_id,
            made_at=at,
        )
    )
