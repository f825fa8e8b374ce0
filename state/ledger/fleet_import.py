"""Writes an inventory: all of its numbers in one transaction, or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import PinProvenance, WaveState
from state.errors import Conflict
from state.ledger.profiles import NewProfile, ProfileSealer, write_profile
from state.ledger.sealed import replace_secret
from state.models import (
    BudgetCallTable,
    CustomerTable,
    InstanceTable,
    NumberTable,
    WabaTable,
    WaveTable,
)
from state.naming import number_reference
from state.rows import SealedSecret
from state.types import SqlClock


@dataclass(frozen=True, slots=True)
class NewInstance:
    name: str
    base_url: str
    username: str
    verify_tls: bool
    stop_command: str | None
    start_command: str | None
    command_arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NewNumber:
    """One checked row of an inventory, without its secrets: they are sealed once the row has its id."""

    e164: str
    phone_number_id: str
    waba_id: str
    customer: str
    profile: str
    hook: str | None
    hook_required: bool
    instance: NewInstance | None
    language: str
    code_method: str
    tags: str
    daily_volume: int | None
    storage_region: str | None
    smoke_to: str | None
    itinerary: str | None
    has_pin: bool
    wave: str | None = None
    line: int = 0  # of the file it came from
    register_calls_before: int = 0
    deregister_calls_before: int = 0


@dataclass(frozen=True, slots=True)
class ImportedNumber:
    number_id: int
    ref: str


class Sealer(ProfileSealer, Protocol):
    """Seals the secrets of imported rows once they have their ids; the state package holds no keys."""

    def number(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]: ...

    def instance(self, new: NewNumber, owner: str) -> Sequence[SealedSecret]: ...


class FleetImport:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def import_numbers(
        self,
        profiles: Sequence[NewProfile],
        numbers: Sequence[NewNumber],
        sealer: Sealer,
    ) -> tuple[ImportedNumber, ...]:
        """Write profiles and numbers with their sealed secrets in one transaction.

        Raises Conflict, naming the number's row, when the database already has one of them.
        """
        imported: list[ImportedNumber] = []
        async with self._engine.begin() as tx:
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            known = {profile.name: await write_profile(tx, profile, sealer, now) for profile in profiles}
            for wave in dict.fromkeys(new.wave for new in numbers if new.wave is not None):
                await self._wave(tx, wave, now)
            first = (await tx.execute(select(func.count()).select_from(NumberTable))).scalar_one() + 1
            for place, new in enumerate(numbers):
                try:
                    imported.append(await self._number(tx, new, known, number_reference(first + place), now, sealer))
                except IntegrityError as exc:
                    raise Conflict(
                        f"line {new.line}: a number with this E.164, phone number id or instance is already imported; "
                        "nothing was imported. Rows of known numbers are taken over by `cutover import FILE --correct`"
                    ) from exc
        return tuple(imported)

    async def _wave(self, tx: AsyncConnection, name: str, now: datetime) -> None:
        row = (await tx.execute(select(WaveTable.state).where(WaveTable.name == name))).one_or_none()
        if row is None:
            await insert_row(tx, WaveTable, {"name": name, "created_at": now})
        elif row.state != WaveState.PLANNED:
            raise Conflict(f"wave {name} is {row.state}; numbers are put into planned waves only")

    async def _number(
        self,
        tx: AsyncConnection,
        new: NewNumber,
        profiles: Mapping[str, int],
        ref: str,
        now: datetime,
        sealer: Sealer,
    ) -> ImportedNumber:
        customer = await self._customer(tx, new)
        waba = await self._waba(tx, new, customer, profiles[new.profile])
        instance = await self._instance(tx, new, now, sealer)
        number_id = await insert_row(
            tx,
            NumberTable,
            {
                "ref": ref,
                "e164": new.e164,
                "phone_number_id": new.phone_number_id,
                "waba_pk": waba,
                "instance_pk": instance,
                "wave_name": new.wave,
                "tags": new.tags,
                "daily_volume": new.daily_volume,
                "language": new.language,
                "code_method": new.code_method,
                "storage_region": new.storage_region,
                "smoke_to": new.smoke_to,
                "forced_itinerary": new.itinerary,
                "pin_provenance": PinProvenance.HANDED_IN if new.has_pin else None,
                "pin_since": now if new.has_pin else None,
                "imported_at": now,
            },
        )
        owner = f"number:{number_id}"
        for sealed in sealer.number(new, owner):
            await replace_secret(tx, owner, sealed, now)
        for call, count in (
            ("register", new.register_calls_before),
            ("deregister", new.deregister_calls_before),
        ):
            for _ in range(count):
                earlier_call = {
                    "phone_number_id": new.phone_number_id,
                    "call": call,
                    "at": now,
                    "before_import": True,
                }
                await insert_row(tx, BudgetCallTable, earlier_call)
        return ImportedNumber(number_id, ref)

    async def _customer(self, tx: AsyncConnection, new: NewNumber) -> int:
        customer_id = (
            await tx.execute(select(CustomerTable.id).where(CustomerTable.name == new.customer))
        ).scalar_one_or_none()
        traffic = "required" if new.hook_required else "advisory"
        return customer_id or await insert_row(
            tx, CustomerTable, {"name": new.customer, "hook": new.hook, "traffic": traffic}
        )

    async def _waba(self, tx: AsyncConnection, new: NewNumber, customer: int, profile: int) -> int:
        row = (
            await tx.execute(select(WabaTable.id, WabaTable.customer_id).where(WabaTable.waba_id == new.waba_id))
        ).one_or_none()
        if row is not None and row.customer_id != customer:
            raise Conflict(f"WABA {new.waba_id} already belongs to another customer than {new.customer}")
        if row is not None:
            return int(row.id)
        return await insert_row(tx, WabaTable, {"waba_id": new.waba_id, "customer_id": customer, "profile_id": profile})

    async def _instance(self, tx: AsyncConnection, new: NewNumber, now: datetime, sealer: Sealer) -> int | None:
        if new.instance is None:
            return None
        values = {name: getattr(new.instance, name) for name in NewInstance.__slots__}
        values["command_arguments"] = dict(new.instance.command_arguments)
        instance_id = await insert_row(tx, InstanceTable, values)
        owner = f"instance:{instance_id}"
        for sealed in sealer.instance(new, owner):
            await replace_secret(tx, owner, sealed, now)
        return instance_id


async def insert_row(tx: AsyncConnection, table: Any, values: Mapping[str, Any]) -> int:
    return int((await tx.execute(insert(table).values(**values).returning(table.id))).scalar_one())
