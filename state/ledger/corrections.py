"""Replaces rows of imported numbers by those of a corrected inventory: all of them in one transaction, or none.

Rows are read and secrets sealed before. The transaction reads the rows again, because a migration may have begun
meanwhile, and takes a few statements however many numbers there are.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import String, bindparam, cast, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import PinProvenance, Status
from state.errors import AlreadyThere, Conflict
from state.ledger import recorded_rows, terms
from state.ledger.corrected_columns import add_earlier_calls, change_waves
from state.ledger.fleet_rows import (
    NewNumber,
    Sealer,
    columns_of,
    customers_of,
    instance_columns_of,
    named_only,
    terms_of,
    traffic_of,
)
from state.ledger.inserting import REFERENCES, allot, chunks, find_or_insert, insert_rows
from state.ledger.operator_changes import NewItinerary, switch_within
from state.ledger.people import write_customers
from state.ledger.sealed import replace_secrets
from state.ledger.versions import of_waba, on_instance, raise_versions
from state.ledger.wave_events import OURSELVES
from state.models import (
    CredentialProfileTable,
    CustomerTable,
    InstanceTable,
    MigrationTable,
    NumberTable,
    WabaTable,
    WaveTable,
)
from state.phone_spelling import is_same_number
from state.rows import SealedSecret
from state.types import SqlClock

READS = 3  # of the rows, where something changes them each time before they are written


@dataclass(frozen=True, slots=True)
class CorrectedNumber:
    """`may_restart`: its migration was aborted or it had a disposition, so a new migration may begin.

    `forced`: the itinerary that the file newly forces on its live migration, which has not crossed.
    """

    number_id: int
    ref: str
    may_restart: bool
    forced: str | None = None


def _with_its_wave(new: NewNumber, row: Any) -> NewNumber:
    """A file without the column says nothing about waves: the number stays in its own."""
    return new if new.names("wave") else replace(new, wave=row.wave_name)


class Corrections:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def correct(
        self,
        numbers: Sequence[NewNumber],
        sealer: Sealer,
        by: str = OURSELVES,
        first_steps: Mapping[str, str] | None = None,
    ) -> tuple[CorrectedNumber, ...]:
        """Overwrite imported rows, each found by its E.164 in any spelling, in one transaction. `by`: the person.

        `first_steps`: of each itinerary that a row may newly force on its live migration. Ids of Graph may change only
        where no migration is live. Raises Conflict or LeaseLost, naming the line or number; nothing was written.
        """
        try:
            for _ in range(READS):
                async with self._engine.connect() as connection:
                    numbers = await _as_stored(connection, numbers)
                    rows = await _read(connection, numbers)
                _check(numbers, rows)
                numbers = [_with_its_wave(new, rows[new.e164]) for new in numbers]
                async with self._engine.begin() as tx:
                    first_instance = await allot(tx, "instances", len(numbers))
                instances = _instances(numbers, rows, first_instance)
                secrets = await asyncio.to_thread(_seal, numbers, rows, instances, sealer)
                if await self._write(numbers, rows, instances, secrets, by, first_steps or {}):
                    return tuple(_corrected(new, rows[new.e164]) for new in numbers)
        except AlreadyThere as exc:
            raise Conflict("a phone number id or an instance of the file belongs to another number") from exc
        raise Conflict("the numbers of the file are being changed all the time; nothing was changed, try again")

    async def _write(
        self,
        numbers: Sequence[NewNumber],
        rows: Mapping[str, Any],
        instances: Mapping[str, int],
        secrets: Sequence[tuple[str, SealedSecret]],
        by: str,
        first_steps: Mapping[str, str],
    ) -> bool:
        """False, and nothing was written, where the rows are no longer as they were read."""
        async with self._engine.begin() as tx:
            await allot(tx, REFERENCES, 0)  # one writer of the fleet's rows at a time
            if await _read(tx, numbers, lock=True) != rows:
                return False
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            wabas = await _wabas(tx, numbers)
            await terms.state_in_inventory(tx, terms_of(numbers), now)
            await write_customers(tx, customers_of(numbers), now)
            await _write_instances(tx, numbers, rows, instances)
            await _write_numbers(tx, numbers, rows, instances, wabas, now)
            await replace_secrets(tx, secrets, now)
            await recorded_rows.note_ids(tx, self._clock, _changed_ids(numbers, rows))
            await add_earlier_calls(tx, self._clock, numbers, now)
            await change_waves(tx, self._clock, numbers, rows, now, by)
            again = [row.id for row in rows.values() if row.disposition is not None]
            await recorded_rows.note_dispositions(tx, self._clock, recorded_rows.TAKEN_UP_AGAIN, again)
            for new in numbers:
                row = rows[new.e164]
                forced = _newly_forced(new, row)
                if forced is not None:
                    because = "forced by the corrected inventory"
                    to = NewItinerary(row.migration_id, forced, first_steps[forced], because)
                    await switch_within(tx, self._clock, to, by, before_crossing=True)
        return True


async def _as_stored(connection: AsyncConnection, numbers: Sequence[NewNumber]) -> Sequence[NewNumber]:
    """A number that the file spells in another way than an earlier one did is still the number of its id."""
    query, stored = select(NumberTable.phone_number_id, NumberTable.e164), dict[str, str]()
    for part in chunks(numbers):
        found = query.where(NumberTable.phone_number_id.in_([new.phone_number_id for new in part]))
        stored |= {row.phone_number_id: row.e164 for row in (await connection.execute(found)).all()}
    kept = ((new, stored.get(new.phone_number_id, new.e164)) for new in numbers)
    return [replace(new, e164=e164) if is_same_number(new.e164, e164) else new for new, e164 in kept]


async def _read(connection: AsyncConnection, numbers: Sequence[NewNumber], *, lock: bool = False) -> dict[str, Any]:
    """What the database has of the file's numbers, by E.164, with how the last migration of each stands."""
    newest = select(func.max(MigrationTable.id)).where(MigrationTable.number_pk == NumberTable.id)
    query = (
        select(
            NumberTable.e164,
            NumberTable.id,
            NumberTable.ref,
            NumberTable.phone_number_id,
            NumberTable.instance_pk,
            NumberTable.disposition,
            WabaTable.waba_id,
            NumberTable.wave_name,
            NumberTable.forced_itinerary,
            MigrationTable.id.label("migration_id"),
            MigrationTable.status,
            MigrationTable.ended_at,
            MigrationTable.crossed_at,
            MigrationTable.itinerary,
            WaveTable.name.label("wave"),
        )
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .outerjoin(MigrationTable, MigrationTable.id == newest.correlate(NumberTable).scalar_subquery())
        .outerjoin(WaveTable, WaveTable.id == MigrationTable.wave_pk)
    )
    rows: dict[str, Any] = {}
    for part in chunks(numbers):
        found = query.where(NumberTable.e164.in_([new.e164 for new in part])).order_by(NumberTable.id)
        if lock:
            found = found.with_for_update(of=NumberTable, key_share=True)
        rows |= {row.e164: row for row in (await connection.execute(found)).all()}
    return rows


def _check(numbers: Sequence[NewNumber], rows: Mapping[str, Any]) -> None:
    for new in numbers:
        row = rows.get(new.e164)
        if row is None:
            raise Conflict(f"line {new.line}: this number is not imported yet; leave --correct out for new numbers")
        ids_changed = (row.phone_number_id, row.waba_id) != (new.phone_number_id, new.waba_id)
        if ids_changed and row.status is not None and row.ended_at is None:
            raise Conflict(
                f"line {new.line}: {row.ref} is being moved under other ids; `cutover abort {row.ref}` first"
            )


def _changed_ids(numbers: Sequence[NewNumber], rows: Mapping[str, Any]) -> dict[str, str]:
    """The earlier id of each number that gets another one, by its reference."""
    return {
        rows[new.e164].ref: rows[new.e164].phone_number_id
        for new in numbers
        if new.phone_number_id != rows[new.e164].phone_number_id
    }


def _may_restart(row: Any) -> bool:
    return row.disposition is not None or row.status in (Status.ABORTED, Status.SKIPPED)


def _corrected(new: NewNumber, row: Any) -> CorrectedNumber:
    return CorrectedNumber(row.id, row.ref, _may_restart(row), _newly_forced(new, row))


def _newly_forced(new: NewNumber, row: Any) -> str | None:
    live = row.migration_id is not None and row.ended_at is None and row.crossed_at is None
    forces = new.itinerary is not None and new.itinerary not in (row.forced_itinerary, row.itinerary)
    return new.itinerary if live and forces else None


def _instances(numbers: Sequence[NewNumber], rows: Mapping[str, Any], first: int) -> dict[str, int]:
    """The id of each number's instance, by E.164: the one it has, or a new one."""
    return {
        new.e164: int(rows[new.e164].instance_pk or first + place)
        for place, new in enumerate(numbers)
        if new.instance is not None
    }


def _seal(
    numbers: Sequence[NewNumber], rows: Mapping[str, Any], instances: Mapping[str, int], sealer: Sealer
) -> list[tuple[str, SealedSecret]]:
    """Owners and secrets."""
    sealed: list[tuple[str, SealedSecret]] = []
    for new in numbers:
        owner = f"number:{rows[new.e164].id}"
        sealed += [(owner, secret) for secret in sealer.number(new, owner)]
        if new.e164 in instances:
            owner = f"instance:{instances[new.e164]}"
            sealed += [(owner, secret) for secret in sealer.instance(new, owner)]
    return sealed


async def _wabas(tx: AsyncConnection, numbers: Sequence[NewNumber]) -> dict[str, int]:
    """The ids of the WABAs. The hook of each customer becomes the one in the file."""
    wabas: dict[str, int] = {}
    traffic = traffic_of(numbers)
    for new in numbers:
        if new.waba_id in wabas:
            continue
        customer = await find_or_insert(tx, CustomerTable, {"name": new.customer}, traffic[new.customer])
        profile = select(CredentialProfileTable.id).where(CredentialProfileTable.name == new.profile)
        profile_id = (await tx.execute(profile)).scalar_one_or_none()
        if profile_id is None:
            raise Conflict(f"line {new.line}: credential profile {new.profile} has imported no number yet")
        values = {"customer_id": customer.id, "profile_id": profile_id}
        waba = await find_or_insert(tx, WabaTable, {"waba_id": new.waba_id}, values)
        wabas[new.waba_id] = int(waba.id)
        if waba.profile_id != profile_id:
            await _change_profile(tx, int(waba.id), int(profile_id))
    owners = {name: customer for customer, name in await _customers_of(tx, list(wabas))}
    for new in numbers:
        if owners[new.waba_id] != new.customer:
            raise Conflict(f"line {new.line}: its WABA belongs to another customer already")
    for name, columns in traffic.items():
        if said := named_only(numbers[0], columns):  # all rows of a file have the same columns
            await tx.execute(update(CustomerTable).where(CustomerTable.name == name).values(**said))
    return wabas


async def _change_profile(tx: AsyncConnection, waba: int, profile_id: int) -> None:
    """Of a WABA, with all of its numbers: those that the file does not name, too."""
    await tx.execute(update(WabaTable).where(WabaTable.id == waba).values(profile_id=profile_id))
    await raise_versions(tx, of_waba(waba))


async def _customers_of(tx: AsyncConnection, wabas: Sequence[str]) -> list[tuple[str, str]]:
    """Customers and their WABAs."""
    query = select(CustomerTable.name, WabaTable.waba_id).join(WabaTable, WabaTable.customer_id == CustomerTable.id)
    pairs: list[tuple[str, str]] = []
    for part in chunks(wabas):
        found = await tx.execute(query.where(WabaTable.waba_id.in_(part)))
        pairs += [(row.name, row.waba_id) for row in found]
    return pairs


async def _write_instances(
    tx: AsyncConnection, numbers: Sequence[NewNumber], rows: Mapping[str, Any], instances: Mapping[str, int]
) -> None:
    added, changed = [], []
    for new in numbers:
        if new.instance is not None:
            columns = instance_columns_of(new.instance)
            if rows[new.e164].instance_pk is None:
                added.append(columns | {"id": instances[new.e164]})
            else:
                changed.append(named_only(new, columns) | {"pk": instances[new.e164]})
    await insert_rows(tx, InstanceTable, added)
    for part in chunks([row["pk"] for row in changed if "name" in row]):
        # Names are unique row by row, and a file may exchange those of two numbers.
        interim = "~" + cast(InstanceTable.id, String)
        await tx.execute(update(InstanceTable).where(InstanceTable.id.in_(part)).values(name=interim))
    await _update_rows(tx, InstanceTable, changed)


async def _write_numbers(
    tx: AsyncConnection,
    numbers: Sequence[NewNumber],
    rows: Mapping[str, Any],
    instances: Mapping[str, int],
    wabas: Mapping[str, int],
    now: datetime,
) -> None:
    written = [
        named_only(new, columns_of(new) | {"instance_pk": instances.get(new.e164)})
        | {"pk": rows[new.e164].id, "waba_pk": wabas[new.waba_id]}
        for new in numbers
    ]
    await _update_rows(tx, NumberTable, written)
    pins = [rows[new.e164].id for new in numbers if new.has_pin]
    anew = [rows[new.e164].id for new in numbers if _may_restart(rows[new.e164])]
    for part in chunks(pins):
        values = {"pin_provenance": PinProvenance.HANDED_IN, "pin_since": now}
        await tx.execute(update(NumberTable).where(NumberTable.id.in_(part)).values(**values))
    for part in chunks(anew):
        await tx.execute(update(NumberTable).where(NumberTable.id.in_(part)).values(disposition=None))
    for part in chunks([rows[new.e164].id for new in numbers]):
        await raise_versions(tx, MigrationTable.number_pk.in_(part))
    for part in chunks(sorted({instances[new.e164] for new in numbers if new.e164 in instances})):
        await raise_versions(tx, on_instance(part))  # others of the same instance sign in with the new password


async def _update_rows(tx: AsyncConnection, model: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Each row has the same columns, and its id as `pk`."""
    if rows:
        table = model.__table__
        columns: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "pk"}
        statement = update(table).where(table.c.id == bindparam("pk")).values(**columns)
        await tx.execute(statement, [dict(row) for row in rows])
