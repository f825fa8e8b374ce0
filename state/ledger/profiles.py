"""Credential profiles: written with their sealed secrets, and set going again after a halt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Status
from state.errors import NotFound
from state.ledger.inserting import find_or_insert
from state.ledger.sealed import replace_secret
from state.ledger.versions import on_profile, raise_versions
from state.models import CredentialProfileTable, MigrationTable
from state.rows import SealedSecret
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class NewProfile:
    name: str
    app_id: str


class ProfileSealer(Protocol):
    """Seals the secrets of a profile once its row has an id; the state package holds no keys."""

    def profile(self, name: str, owner: str) -> Sequence[SealedSecret]: ...


class Profiles:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def replace_secrets(self, profile: NewProfile, sealer: ProfileSealer) -> None:
        """Seal the secrets of a profile anew, as the admin file has them now."""
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            await write_profile(tx, profile, sealer, now)

    async def resume(self, name: str) -> None:
        """Let the numbers of a halted profile go on, after its token was replaced. Raises NotFound."""
        async with self._engine.begin() as tx:
            resumed = await tx.execute(
                update(CredentialProfileTable)
                .where(CredentialProfileTable.name == name)
                .values(halted_at=None, halted_because=None)
                .returning(CredentialProfileTable.id)
            )
            profile_id = resumed.scalar_one_or_none()
            if profile_id is None:
                raise NotFound(f"there is no credential profile {name}")
            # Held numbers of this profile are due now, not at the time when they would have been tried again.
            await raise_versions(tx, on_profile(profile_id))
            await tx.execute(
                update(MigrationTable)
                .where(on_profile(profile_id), MigrationTable.status == Status.HELD)
                .values(status=Status.READY, waiting_until=None)
            )


async def write_profile(tx: AsyncConnection, new: NewProfile, sealer: ProfileSealer, now: datetime) -> int:
    """Insert or update a profile and make its sealed secrets the current ones. Returns its id."""
    row = await find_or_insert(tx, CredentialProfileTable, {"name": new.name}, {"app_id": new.app_id})
    profile_id = int(row.id)
    changed = update(CredentialProfileTable).where(CredentialProfileTable.id == profile_id)
    await tx.execute(changed.values(app_id=new.app_id))
    owner = f"profile:{profile_id}"
    for sealed in sealer.profile(new.name, owner):
        await replace_secret(tx, owner, sealed, now, proved=True)  # Graph has accepted the token before this
    await raise_versions(tx, on_profile(profile_id))  # a worker keeps what it has opened between two steps
    return profile_id
