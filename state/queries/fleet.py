"""The fleet apart from its migrations: numbers without one, numbers without a wave, profiles, field facts."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import and_, or_, select

from state.models import CredentialProfile, Customer, FieldFact, Instance, Number, NumberMigration, Waba
from state.queries.position_rows import instance_columns, instance_of
from state.queries.reader import Reader
from state.rows import UndecidedRow, UnplannedRow


class FleetQueries:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def without_migration(self) -> tuple[Mapping[str, Any], ...]:
        """Imported numbers that have no migration: those with a disposition from the start."""
        query = (
            select(Number.id, Number.ref, Number.e164, Number.disposition, Number.disposition_reason)
            .where(~select(NumberMigration.id).where(NumberMigration.number_pk == Number.id).exists())
            .order_by(Number.id)
        )
        return tuple(await self._reader.rows(query))

    async def unplanned(self) -> tuple[UnplannedRow, ...]:
        """Live migrations that have not crossed and are in no wave."""
        query = (
            select(
                NumberMigration.id.label("migration_id"),
                Number.ref,
                Customer.name.label("customer"),
                Number.tags,
                Number.daily_volume,
            )
            .join(Number, Number.id == NumberMigration.number_pk)
            .join(Waba, Waba.id == Number.waba_pk)
            .join(Customer, Customer.id == Waba.customer_id)
            .where(
                NumberMigration.ended_at.is_(None),
                NumberMigration.wave_pk.is_(None),
                NumberMigration.crossed_at.is_(None),
            )
            .order_by(NumberMigration.id)
        )
        return tuple(UnplannedRow(**row) for row in await self._reader.rows(query))

    async def undecided(self, again: Collection[int] = ()) -> tuple[UndecidedRow, ...]:
        """Imported numbers that have neither a migration nor a disposition: an import was cut off before them.

        `again`: ids of numbers whose migration has ended and that are to begin anew.
        """
        migration = NumberMigration
        any_migration = select(migration.id).where(migration.number_pk == Number.id).exists()
        live_migration = select(migration.id).where(migration.number_pk == Number.id, migration.ended_at.is_(None))
        query = (
            select(
                Number.id.label("number_id"),
                Number.ref,
                Number.phone_number_id,
                Number.forced_itinerary.label("forced"),
                CredentialProfile.id.label("profile_id"),
                CredentialProfile.name.label("profile"),
                *instance_columns(),
            )
            .join(Waba, Waba.id == Number.waba_pk)
            .join(CredentialProfile, CredentialProfile.id == Waba.profile_id)
            .outerjoin(Instance, Instance.id == Number.instance_pk)
            .where(
                Number.disposition.is_(None),
                or_(~any_migration, and_(Number.id.in_(again), ~live_migration.exists())),
            )
            .order_by(Number.id)
        )
        columns = [name for name in UndecidedRow.__slots__ if name != "instance"]
        return tuple(
            UndecidedRow(**{name: row[name] for name in columns}, instance=instance_of(row))
            for row in await self._reader.rows(query)
        )

    async def profiles(self) -> tuple[Mapping[str, Any], ...]:
        """All columns of every credential profile."""
        return tuple(await self._reader.rows(select(CredentialProfile.__table__).order_by(CredentialProfile.id)))

    async def field_facts(self) -> dict[str, str]:
        """The measured value of each field fact, by its name."""
        rows = await self._reader.rows(select(FieldFact.name, FieldFact.value))
        return {row["name"]: row["value"] for row in rows}

    async def field_fact_rows(self) -> tuple[Mapping[str, Any], ...]:
        """All columns of every field fact: name, value, measured_at, measured_by, evidence."""
        return tuple(await self._reader.rows(select(FieldFact.__table__).order_by(FieldFact.name)))
