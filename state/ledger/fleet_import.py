"""Writes an inventory: for a reader all of its numbers at once, or none.

What takes long is staged before, in short transactions that hold nobody up (`import_stage`). The last transaction
makes it visible with a few statements, however many numbers there are.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import WaveState
from state.errors import AlreadyThere, Conflict, StateError
from state.ledger import terms, wave_events
from state.ledger.anchoring import note_calls
from state.ledger.fleet_rows import (
    ImportedNumber,
    NewNumber,
    Sealer,
    columns_of,
    customers_of,
    earlier_calls,
    terms_of,
    traffic_of,
)
from state.ledger.import_stage import ImportStages, Stage
from state.ledger.inserting import REFERENCES, allot, chunks, find_or_insert, insert_rows
from state.ledger.people import write_customers
from state.ledger.profiles import NewProfile, write_profile
from state.models import (
    BudgetCallTable,
    CustomerTable,
    InstanceTable,
    NumberTable,
    WabaTable,
    WaveTable,
)
from state.naming import number_reference
from state.types import SqlClock

CORRECT = "rows of its known numbers change that with `cutover import FILE --correct`"


class FleetImport:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock
        self._stages = ImportStages(engine, clock)

    async def import_numbers(
        self,
        profiles: Sequence[NewProfile],
        numbers: Sequence[NewNumber],
        sealer: Sealer,
        *,
        holder: str = "",
        by: str = wave_events.OURSELVES,
        is_gone: Callable[[str], bool] = lambda _holder: False,
    ) -> tuple[ImportedNumber, ...]:
        """Write profiles and numbers with their sealed secrets; a reader sees all of them or none. `by`: the person.

        `holder` names this process; `is_gone` tells whether another one has exited, so that what it left staged may
        be removed. Raises Conflict, naming the number's row, when the database already has one of them; DatabaseBusy.
        """
        await self._refuse_known(numbers)
        await self._stages.drop_dead(is_gone)
        stage = await self._stages.begin(numbers, holder)
        try:
            await self._stages.write(stage, sealer)
            return await self._publish(stage, profiles, sealer, by)
        except AlreadyThere as exc:
            await self._stages.drop(stage)
            await self._refuse_known(numbers)
            raise Conflict(
                "another import is writing one of these numbers, or an instance of this name is left over; "
                "nothing was imported"
            ) from exc
        except Exception:
            with suppress(StateError):  # the next import removes it
                await self._stages.drop(stage)
            raise

    async def _refuse_known(self, numbers: Sequence[NewNumber]) -> None:
        """Raises Conflict for the first row whose number, id or instance is there, or stands twice in the file."""
        async with self._engine.connect() as connection:
            known = await _known(connection, numbers)
        for new in numbers:
            keys = {new.e164, f"id {new.phone_number_id}"} | (
                {f"instance {new.instance.name}"} if new.instance else set()
            )
            if keys & known:
                raise Conflict(
                    f"line {new.line}: a number with this E.164, phone number id or instance is already imported; "
                    "nothing was imported. Rows of known numbers are taken over by `cutover import FILE --correct`"
                )
            known |= keys

    async def _publish(
        self, stage: Stage, profiles: Sequence[NewProfile], sealer: Sealer, by: str
    ) -> tuple[ImportedNumber, ...]:
        async with self._engine.begin() as tx:
            now = await self._stages.end(tx, stage)
            first = await allot(tx, REFERENCES, len(stage.numbers))
            known = {profile.name: await write_profile(tx, profile, sealer, now) for profile in profiles}
            waves = Counter(new.wave for new in stage.numbers if new.wave is not None)
            for wave, count in sorted(waves.items()):
                await self._wave(tx, wave, count, now, by)
            wabas = await _wabas(tx, stage.numbers, known)
            await terms.state_in_inventory(tx, terms_of(stage.numbers), now)
            await write_customers(tx, customers_of(stage.numbers), now)
            for places in chunks(range(len(stage.numbers))):  # the rows of all of them at once would fill the memory
                rows = [
                    columns_of(stage.numbers[place])
                    | stage.columns(place, now)
                    | {
                        "ref": number_reference(first + place),
                        "e164": stage.numbers[place].e164,
                        "waba_pk": wabas[stage.numbers[place].waba_id],
                        "imported_at": now,
                    }
                    for place in places
                ]
                await insert_rows(tx, NumberTable, rows)
            calls = [call for new in stage.numbers for call in earlier_calls(new, now)]
            await insert_rows(tx, BudgetCallTable, calls)
            await note_calls(tx, self._clock, calls)
        places = range(len(stage.numbers))
        return tuple(ImportedNumber(stage.first_number + at, number_reference(first + at)) for at in places)

    async def _wave(self, tx: AsyncConnection, name: str, count: int, now: datetime, by: str) -> None:
        known = (await tx.execute(select(WaveTable.id).where(WaveTable.name == name))).first() is not None
        row = await find_or_insert(tx, WaveTable, {"name": name}, {"created_at": now})
        facts = {"numbers": count, "from": "the inventory's column wave"}
        await wave_events.append(tx, self._clock, row.id, "numbers_imported" if known else "planned", by, facts=facts)
        if row.state != WaveState.PLANNED:
            raise Conflict(f"wave {name} is {row.state}; numbers are put into planned waves only")


def _hook_text(hook: str | None) -> str:
    return f"the hook {hook}" if hook is not None else "no hook"


async def _known(connection: AsyncConnection, numbers: Sequence[NewNumber]) -> set[str]:
    """What of the file's numbers, ids and instances the database has."""
    known: set[str] = set()
    for part in chunks(numbers):
        ids = select(NumberTable.phone_number_id).where(
            NumberTable.phone_number_id.in_([new.phone_number_id for new in part])
        )
        e164s = select(NumberTable.e164).where(NumberTable.e164.in_([new.e164 for new in part]))
        names = [new.instance.name for new in part if new.instance is not None]
        # An instance that no number refers to is another import's stage, which may yet come to nothing.
        instances = (
            select(InstanceTable.name)
            .join(NumberTable, NumberTable.instance_pk == InstanceTable.id)
            .where(InstanceTable.name.in_(names))
        )
        known |= set((await connection.execute(e164s)).scalars())
        known |= {f"id {found}" for found in (await connection.execute(ids)).scalars()}
        known |= {f"instance {found}" for found in (await connection.execute(instances)).scalars()}
    return known


async def _wabas(tx: AsyncConnection, numbers: Sequence[NewNumber], profiles: Mapping[str, int]) -> dict[str, int]:
    """The ids of the WABAs, written with their customers where they are new."""
    wabas: dict[str, int] = {}
    owners: dict[str, str] = {}
    traffic = traffic_of(numbers)
    for new in numbers:
        if owners.setdefault(new.waba_id, new.customer) != new.customer:
            raise Conflict(f"line {new.line}: its WABA belongs to another customer already")
    # In one order for all imports: two of them in different orders would wait for each other.
    for new in sorted({new.waba_id: new for new in numbers}.values(), key=lambda new: (new.customer, new.waba_id)):
        customer = await find_or_insert(tx, CustomerTable, {"name": new.customer}, traffic[new.customer])
        if traffic[new.customer]["hook"] not in (None, customer.hook):
            raise Conflict(f"line {new.line}: its customer has {_hook_text(customer.hook)} already; {CORRECT}")
        values = {"customer_id": customer.id, "profile_id": profiles[new.profile]}
        waba = await find_or_insert(tx, WabaTable, {"waba_id": new.waba_id}, values)
        if waba.customer_id != customer.id:
            raise Conflict(f"line {new.line}: its WABA belongs to another customer already")
        if waba.profile_id != profiles[new.profile]:
            raise Conflict(f"line {new.line}: its WABA belongs to another credential profile already; {CORRECT}")
        wabas[new.waba_id] = int(waba.id)
    return wabas
