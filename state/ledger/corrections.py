"""Corrects what was imported, such as a password or an address: all rows of a file, or none."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import PinProvenance, Status
from state.errors import Conflict
from state.ledger.fleet_import import NewInstance, NewNumber, Sealer, insert_row
from state.ledger.sealed import replace_secret
from state.models import CredentialProfileTable, CustomerTable, InstanceTable, MigrationTable, NumberTable, WabaTable
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class CorrectedNumber:
    """`may_restart`: its migration was aborted or it had a disposition, so a new migration may begin."""

    number_id: int
    ref: str
    may_restart: bool


class Corrections:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def correct(self, numbers: Sequence[NewNumber], sealer: Sealer) -> tuple[CorrectedNumber, ...]:
        """Overwrite imported rows, each found by its E.164, in one transaction.

        Ids of Graph may change only where no migration is live. Raises Conflict naming the line; nothing was written.
        """
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            try:
                return tuple([await self._correct(tx, new, sealer, now) for new in numbers])
            except IntegrityError as exc:
                raise Conflict("a phone number id or an instance of the file belongs to another number") from exc

    async def _correct(self, tx: AsyncConnection, new: NewNumber, sealer: Sealer, now: datetime) -> CorrectedNumber:
        query = select(
            NumberTable.id,
            NumberTable.ref,
            NumberTable.phone_number_id,
            NumberTable.instance_pk,
            WabaTable.waba_id,
            NumberTable.disposition,
        )
        row = (
            await tx.execute(
                query.join(WabaTable, WabaTable.id == NumberTable.waba_pk).where(NumberTable.e164 == new.e164)
            )
        ).one_or_none()
        if row is None:
            raise Conflict(f"line {new.line}: this number is not imported yet; leave --correct out for new numbers")
        last = (
            await tx.execute(
                select(MigrationTable.status, MigrationTable.ended_at)
                .where(MigrationTable.number_pk == row.id)
                .order_by(MigrationTable.id.desc())
                .limit(1)
            )
        ).one_or_none()
        ids_changed = (row.phone_number_id, row.waba_id) != (new.phone_number_id, new.waba_id)
        if ids_changed and last is not None and last.ended_at is None:
            raise Conflict(
                f"line {new.line}: {row.ref} is being moved under other ids; `cutover abort {row.ref}` first"
            )
        may_restart = row.disposition is not None or (
            last is not None and last.status in (Status.ABORTED, Status.SKIPPED)
        )
        values = await self._values(tx, new, now) | ({"disposition": None} if may_restart else {})
        values["instance_pk"] = await self._instance(tx, row.instance_pk, new, sealer, now)
        await tx.execute(update(NumberTable).where(NumberTable.id == row.id).values(**values))
        await tx.execute(
            update(MigrationTable)
            .where(MigrationTable.number_pk == row.id, MigrationTable.ended_at.is_(None))
            .values(version=MigrationTable.version + 1)
        )
        for sealed in sealer.number(new, f"number:{row.id}"):
            await replace_secret(tx, f"number:{row.id}", sealed, now)
        return CorrectedNumber(row.id, row.ref, may_restart)

    async def _values(self, tx: AsyncConnection, new: NewNumber, now: datetime) -> dict[str, Any]:
        pin = {"pin_provenance": PinProvenance.HANDED_IN, "pin_since": now} if new.has_pin else {}
        return pin | {
            "phone_number_id": new.phone_number_id,
            "waba_pk": await self._waba(tx, new),
            "wave_name": new.wave,
            "tags": new.tags,
            "daily_volume": new.daily_volume,
            "language": new.language,
            "code_method": new.code_method,
            "storage_region": new.storage_region,
            "smoke_to": new.smoke_to,
            "forced_itinerary": new.itinerary,
        }

    async def _waba(self, tx: AsyncConnection, new: NewNumber) -> int:
        """The id of the WABA. Its customer's hook becomes the one in the file."""
        traffic = "required" if new.hook_required else "advisory"
        hook = update(CustomerTable).where(CustomerTable.name == new.customer).values(hook=new.hook, traffic=traffic)
        customer = (await tx.execute(hook.returning(CustomerTable.id))).scalar_one_or_none()
        if customer is None:
            customer = await insert_row(tx, CustomerTable, {"name": new.customer, "hook": new.hook, "traffic": traffic})
        row = (
            await tx.execute(select(WabaTable.id, WabaTable.customer_id).where(WabaTable.waba_id == new.waba_id))
        ).one_or_none()
        if row is not None and row.customer_id != customer:
            raise Conflict(f"line {new.line}: WABA {new.waba_id} belongs to another customer than {new.customer}")
        if row is not None:
            return int(row.id)
        profile = select(CredentialProfileTable.id).where(CredentialProfileTable.name == new.profile)
        values = {
            "waba_id": new.waba_id,
            "customer_id": customer,
            "profile_id": (await tx.execute(profile)).scalar_one(),
        }
        return await insert_row(tx, WabaTable, values)

    async def _instance(
        self, tx: AsyncConnection, instance_id: int | None, new: NewNumber, sealer: Sealer, now: datetime
    ) -> int | None:
        if new.instance is None:
            return None
        values = {name: getattr(new.instance, name) for name in NewInstance.__slots__}
        values["command_arguments"] = dict(new.instance.command_arguments)
        if instance_id is None:
            instance_id = await insert_row(tx, InstanceTable, values)
        else:
            await tx.execute(update(InstanceTable).where(InstanceTable.id == instance_id).values(**values))
        for sealed in sealer.instance(new, f"instance:{instance_id}"):
            await replace_secret(tx, f"instance:{instance_id}", sealed, now)
        return instance_id
