"""The fleet apart from its migrations: numbers without one, numbers without a wave, profiles, field facts."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Select, and_, or_, select

from state.models import (
    CredentialProfileTable,
    CustomerTable,
    FieldFactTable,
    InstanceTable,
    MigrationTable,
    NumberTable,
    WabaTable,
)
from state.phone_spelling import spellings
from state.queries.position_rows import instance_columns, instance_of
from state.queries.reader import Reader
from state.rows import UndecidedRow, UnplannedRow


class FleetQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def without_migration(self) -> tuple[Mapping[str, Any], ...]:
        """Imported numbers that have no migration: those with a disposition from the start."""
        query = (
            select(
                NumberTable.id,
                NumberTable.ref,
                NumberTable.e164,
                NumberTable.disposition,
                NumberTable.disposition_reason,
            )
            .where(~select(MigrationTable.id).where(MigrationTable.number_pk == NumberTable.id).exists())
            .order_by(NumberTable.id)
        )
        return tuple(await self._reader.rows(query))

    async def unplanned(self) -> tuple[UnplannedRow, ...]:
        """Live migrations that have not crossed and are in no wave."""
        query = (
            select(
                MigrationTable.id.label("migration_id"),
                NumberTable.ref,
                CustomerTable.name.label("customer"),
                NumberTable.tags,
                NumberTable.daily_volume,
            )
            .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
            .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
            .join(CustomerTable, CustomerTable.id == WabaTable.customer_id)
            .where(
                MigrationTable.ended_at.is_(None),
                MigrationTable.wave_pk.is_(None),
                MigrationTable.crossed_at.is_(None),
            )
            .order_by(MigrationTable.id)
        )
        return tuple(UnplannedRow(**row) for row in await self._reader.rows(query))

    async def undecided(self, again: Collection[int] = ()) -> tuple[UndecidedRow, ...]:
        """Imported numbers that have neither a migration nor a disposition: an import was cut off before them.

        `again`: ids of numbers whose migration has ended and that are to begin anew.
        """
        migration = MigrationTable
        any_migration = select(migration.id).where(migration.number_pk == NumberTable.id).exists()
        live_migration = select(migration.id).where(migration.number_pk == NumberTable.id, migration.ended_at.is_(None))
        query = (
            select(
                NumberTable.id.label("number_id"),
                NumberTable.ref,
                NumberTable.e164,
                NumberTable.phone_number_id,
                WabaTable.waba_id,
                CredentialProfileTable.app_id,
                NumberTable.forced_itinerary.label("forced"),
                CredentialProfileTable.id.label("profile_id"),
                CredentialProfileTable.name.label("profile"),
                *instance_columns(),
            )
            .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
            .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
            .outerjoin(InstanceTable, InstanceTable.id == NumberTable.instance_pk)
            .where(
                NumberTable.disposition.is_(None),
                or_(~any_migration, and_(NumberTable.id.in_(again), ~live_migration.exists())),
            )
            .order_by(NumberTable.id)
        )
        columns = [name for name in UndecidedRow.__slots__ if name != "instance"]
        return tuple(
            UndecidedRow(**{name: row[name] for name in columns}, instance=instance_of(row))
            for row in await self._reader.rows(query)
        )

    async def has_number(self, e164: str) -> bool:
        """Whether a number, in any spelling, was imported here."""
        query = select(NumberTable.id).where(NumberTable.e164.in_(spellings(e164))).limit(1)
        return bool(await self._reader.rows(query))

    async def profile_id(self, profile: str) -> int | None:
        """The id of a credential profile's row."""
        query = select(CredentialProfileTable.id).where(CredentialProfileTable.name == profile)
        rows = await self._reader.rows(query)
        return int(rows[0]["id"]) if rows else None

    async def a_phone_number_id(self, profile: str) -> str | None:
        """The phone number id of one number of a profile, to try a token on; None where the profile has none."""
        query = (
            select(NumberTable.phone_number_id)
            .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
            .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
            .where(CredentialProfileTable.name == profile, NumberTable.disposition.is_(None))
            .order_by(NumberTable.id)
            .limit(1)
        )
        rows = await self._reader.rows(query)
        return rows[0]["phone_number_id"] if rows else None

    async def profiles(self) -> tuple[Mapping[str, Any], ...]:
        """All columns of every credential profile."""
        return tuple(
            await self._reader.rows(select(CredentialProfileTable.__table__).order_by(CredentialProfileTable.id))
        )

    async def field_facts(self) -> dict[str, str]:
        """The measured value of each field fact, by its name. One that an answer has refuted is not among them."""
        rows = await self._reader.rows(self._reader.prepared.get("field_facts", _field_facts))
        return {row["name"]: row["value"] for row in rows}

    async def field_fact_rows(self) -> tuple[Mapping[str, Any], ...]:
        """All columns of every field fact: name, value, measured_at, measured_by, evidence, refuted_at, refuted_by."""
        return tuple(await self._reader.rows(select(FieldFactTable.__table__).order_by(FieldFactTable.name)))


def _field_facts() -> Select[*tuple[Any, ...]]:
    return select(FieldFactTable.name, FieldFactTable.value).where(FieldFactTable.refuted_at.is_(None))
