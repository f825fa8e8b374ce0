"""Which sealed secrets can still be opened, and what each waits for before it is destroyed. Reads no secret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from state.ledger.shredding import intent_owner
from state.models import AttemptTable, MigrationTable, NumberTable, SecretTable
from state.queries.reader import Reader


@dataclass(frozen=True, slots=True)
class OpenableSecret:
    """`owner` as the table has it, `ref` the reference of its number; `live`: the number's migration has not ended."""

    owner: str
    name: str
    ref: str | None
    made_at: datetime
    superseded_at: datetime | None
    key_id: str
    shelf_file: str | None
    live: bool
    ended_at: datetime | None  # of the number's last migration


class SecretQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def openable(self) -> Sequence[OpenableSecret]:
        """Every secret whose data key is there, oldest first."""
        numbers = await self._numbers()
        columns = (SecretTable.owner, SecretTable.name, SecretTable.made_at, SecretTable.superseded_at)
        query = select(*columns, SecretTable.key_id, SecretTable.shelf_file).where(SecretTable.shredded_at.is_(None))
        found = []
        for row in await self._reader.rows(query.order_by(SecretTable.id)):
            number: Mapping[str, Any] = numbers.get(row["owner"]) or {"ref": None, "live": False, "ended_at": None}
            found.append(OpenableSecret(**row, **number))
        return found

    async def shredded_files(self) -> Sequence[tuple[str, str | None]]:
        """Owner and file of every backup that is destroyed in the database, and whose file has to go too."""
        gone = select(SecretTable.owner, SecretTable.shelf_file).where(
            SecretTable.name == "backup", SecretTable.shredded_at.is_not(None)
        )
        return [(row["owner"], row["shelf_file"]) for row in await self._reader.rows(gone)]

    async def _numbers(self) -> Mapping[str, Mapping[str, Any]]:
        """By owner: what is known of the number that a secret is for."""
        live = func.count(MigrationTable.id) > func.count(MigrationTable.ended_at)
        query = (
            select(
                NumberTable.id,
                NumberTable.ref,
                NumberTable.instance_pk,
                live.label("live"),
                func.max(MigrationTable.ended_at).label("ended_at"),
            )
            .outerjoin(MigrationTable, MigrationTable.number_pk == NumberTable.id)
            .group_by(NumberTable.id, NumberTable.ref, NumberTable.instance_pk)
        )
        known: dict[str, Mapping[str, Any]] = {}
        for row in await self._reader.rows(query):
            facts = {name: row[name] for name in ("ref", "live", "ended_at")}
            known[f"number:{row['id']}"] = facts
            known[f"instance:{row['instance_pk']}"] = facts
        attempts = (
            select(AttemptTable.migration_pk, AttemptTable.number, MigrationTable.number_pk)
            .join(MigrationTable, MigrationTable.id == AttemptTable.migration_pk)
            .where(AttemptTable.ended.is_(None))
        )
        for row in await self._reader.rows(attempts):
            known[intent_owner(row["migration_pk"], row["number"])] = known[f"number:{row['number_pk']}"]
        return known
