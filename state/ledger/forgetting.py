"""Erases what is known of a customer and of its numbers, once all of its migrations have ended.

Rows stay where the record needs them: a keyed reference stands in the place of each name, number and id. Events hold
references from the beginning, so that no hash changes.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.enums import Disposition
from state.errors import Conflict, NotFound
from state.ledger import home_events, recorded_rows
from state.ledger.inserting import chunks
from state.ledger.shredding import shredded
from state.models import (
    AttemptTable,
    BudgetCallTable,
    CallBudgetTable,
    CauseTable,
    CredentialProfileTable,
    CustomerTable,
    EventTable,
    FindingTable,
    HomeEventTable,
    InstanceTable,
    MessageTable,
    MigrationTable,
    NoticeTable,
    NumberTable,
    OutboxTable,
    RoomTable,
    SecretTable,
    WabaTable,
    WaveEventTable,
    WaveTable,
    WebhookTable,
)
from state.naming import holds_name
from state.record_key import RecordKey, record_key_of
from state.types import SqlClock

FORGOTTEN = "customer_forgotten"
# Meta counts calls by the number's id for so long; without the id we could not.
CALLS_COUNT = timedelta(hours=72)
GONE = "forgotten"
# Columns of a customer and of a number that say something of a person.
NO_PERSON = dict.fromkeys(("contact", "language", "time_zone", "hours", "consent_at", "consent_by"))
NOBODY_AT_ITS_PHONE = dict.fromkeys(
    (
        "ready_until",
        "ready_how",
        "ready_by",
        "slot_from",
        "slot_until",
        "slot_by",
        "next_code_method",
        "next_code_language",
    )
)


@dataclass(frozen=True, slots=True)
class Forgotten:
    """References of the numbers, and what stands in the place of the customer's name.

    `still_named`: events that name it all the same, in a reason that somebody typed or by an older release. They stay.
    """

    numbers: Sequence[str]
    reference: str
    still_named: int = 0
    waves: Sequence[str] = ()  # whose name holds the customer's: a wave keeps its name, which the record has too


@dataclass(frozen=True, slots=True)
class _Ids:
    """Of the rows that belong to the customer."""

    customer: int
    name: str
    wabas: Sequence[Any]
    numbers: Sequence[Any]
    migrations: Sequence[int]


class Forgetting:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def due(self, kept_for: timedelta) -> Sequence[str]:
        """Names of customers whose last migration has ended so long ago, and that have no other."""
        query = (
            select(CustomerTable.name)
            .join(WabaTable, WabaTable.customer_id == CustomerTable.id)
            .join(NumberTable, NumberTable.waba_pk == WabaTable.id)
            .join(MigrationTable, MigrationTable.number_pk == NumberTable.id)
            .where(CustomerTable.name.not_like("ref:%"))
            .group_by(CustomerTable.name)
            .having(
                func.count(MigrationTable.id) == func.count(MigrationTable.ended_at),
                func.max(MigrationTable.ended_at) <= self._clock.now(-kept_for),
            )
        )
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def forget(self, customer: str, by: str, because: str) -> Forgotten:
        """Erase it, in one transaction. Raises NotFound, or Conflict where the customer is still needed."""
        async with self._engine.begin() as tx:
            key = record_key_of(tx)
            if key is None:
                raise Conflict("the record has no key yet; `cutover sweep` makes it. Nothing was changed")
            ids = await self._ids(tx, customer)
            await self._check(tx, customer, ids)
            reference = key.reference(customer)
            await self._forget_rows(tx, key, ids, reference)
            numbers = [row.ref for row in ids.numbers]
            facts = {"customer": reference, "numbers": numbers, "by": by, "reason": because.replace(customer, GONE)}
            ended = await recorded_rows.disposition_references(tx, [row.id for row in ids.numbers])
            rows = {"rows": {recorded_rows.DISPOSITIONS: ended}}
            await home_events.append(tx, self._clock, FORGOTTEN, facts | rows)
            still_named = await _still_named(tx, customer, ids)
            waves = (await tx.execute(select(WaveTable.name).order_by(WaveTable.id))).scalars()
            named_after = [wave for wave in waves if holds_name(wave, customer)]
        return Forgotten(numbers, reference, still_named, named_after)

    async def _ids(self, tx: AsyncConnection, customer: str) -> _Ids:
        locked = update(CustomerTable).where(CustomerTable.name == customer).values(hook=CustomerTable.hook)
        found = (await tx.execute(locked.returning(CustomerTable.id))).scalar_one_or_none()
        if found is None or customer.startswith("ref:"):
            raise NotFound(f"there is no customer {customer}; nothing was changed")
        wabas = (await tx.execute(select(WabaTable.id, WabaTable.waba_id).where(WabaTable.customer_id == found))).all()
        columns = (NumberTable.id, NumberTable.ref, NumberTable.e164, NumberTable.phone_number_id)
        of_customer = NumberTable.waba_pk.in_([row.id for row in wabas])
        numbers = (await tx.execute(select(*columns, NumberTable.instance_pk).where(of_customer))).all()
        of_numbers = MigrationTable.number_pk.in_(select(NumberTable.id).where(of_customer))
        migrations = (await tx.execute(select(MigrationTable.id).where(of_numbers))).scalars().all()
        return _Ids(int(found), customer, wabas, numbers, migrations)

    async def _check(self, tx: AsyncConnection, customer: str, ids: _Ids) -> None:
        """Raises Conflict, which names the first number in the way."""
        still = or_(MigrationTable.ended_at.is_(None), MigrationTable.paused_at.is_not(None))
        live = (
            select(NumberTable.ref, MigrationTable.ended_at)
            .join(MigrationTable, MigrationTable.number_pk == NumberTable.id)
            .where(NumberTable.id.in_([row.id for row in ids.numbers]), still)
            .order_by(NumberTable.id)
        )
        row = (await tx.execute(live)).first()
        if row is not None:
            why = "its migration has not ended" if row.ended_at is None else "its senders are still paused"
            raise Conflict(f"{customer} cannot be forgotten: {row.ref}: {why}; nothing was changed")
        recent = select(func.count()).where(
            BudgetCallTable.phone_number_id.in_([row.phone_number_id for row in ids.numbers]),
            BudgetCallTable.at > self._clock.now(-CALLS_COUNT),
        )
        if (await tx.execute(recent)).scalar_one():
            raise Conflict(
                f"{customer} cannot be forgotten yet: Meta still counts calls for its numbers, for 72 h after each; "
                "nothing was changed"
            )

    async def _forget_rows(self, tx: AsyncConnection, key: RecordKey, ids: _Ids, reference: str) -> None:
        await _forget_numbers(tx, key, ids, self._clock)
        await _forget_earlier_ids(tx, key, ids)
        await _forget_migrations(tx, ids)
        names = [str(waba.waba_id) for waba in ids.wabas]
        await _forget_messages_to_people(tx, [row.ref for row in ids.numbers], [ids.name, *names])
        await _forget_reasons(tx, ids)
        await self._destroy_secrets(tx, ids)
        await self._forget_instances_of_nobody(tx, key)
        for waba in ids.wabas:
            await tx.execute(delete(WebhookTable).where(WebhookTable.waba_id == waba.waba_id))
            await tx.execute(delete(CallBudgetTable).where(CallBudgetTable.waba_id == waba.waba_id))
            new = {"waba_id": key.reference(waba.waba_id), "reported": None}
            await tx.execute(update(WabaTable).where(WabaTable.id == waba.id).values(new))
        gone = update(CustomerTable).where(CustomerTable.id == ids.customer)
        await tx.execute(gone.values(name=reference, hook=None, terms_known_by=None, **NO_PERSON))

    async def _forget_instances_of_nobody(self, tx: AsyncConnection, key: RecordKey) -> None:
        """A corrected inventory may leave a number without its instance, and nothing says whose that was."""
        named = select(NumberTable.instance_pk).where(NumberTable.instance_pk.is_not(None))
        left = select(InstanceTable.id).where(InstanceTable.id.not_in(named), InstanceTable.base_url != "")
        for instance in (await tx.execute(left)).scalars().all():
            await tx.execute(_instance(InstanceTable.id == instance, key.reference(f"instance {instance}")))
            await tx.execute(shredded(SecretTable.owner == f"instance:{instance}", at=self._clock.now()))

    async def _destroy_secrets(self, tx: AsyncConnection, ids: _Ids) -> None:
        instances = [f"instance:{row.instance_pk}" for row in ids.numbers if row.instance_pk is not None]
        owners = [*(f"number:{row.id}" for row in ids.numbers), *instances]
        for part in chunks(owners):
            await tx.execute(shredded(SecretTable.owner.in_(part), at=self._clock.now()))
        for migration_id in ids.migrations:
            of_migration = SecretTable.owner.like(f"attempt:{migration_id}/%")
            await tx.execute(shredded(of_migration, at=self._clock.now()))


async def _still_named(tx: AsyncConnection, customer: str, ids: _Ids) -> int:
    names = [customer, *(row.e164 for row in ids.numbers), *(row.phone_number_id for row in ids.numbers)]
    of_home = (await tx.execute(select(HomeEventTable.facts))).scalars()  # such as the reason for which a PIN was shown
    count = sum(any(name in json.dumps(facts, ensure_ascii=False) for name in names) for facts in of_home)
    for part in chunks(ids.migrations):
        found = await tx.execute(select(EventTable.facts).where(EventTable.migration_pk.in_(part)))
        texts = (json.dumps(facts, ensure_ascii=False) for facts in found.scalars())
        count += sum(any(name in text for name in names) for text in texts)
    decided = (await tx.execute(select(WaveEventTable.because, WaveEventTable.facts))).all()
    return count + sum(any(name in f"{because} {facts}" for name in names) for because, facts in decided)


async def _forget_numbers(tx: AsyncConnection, key: RecordKey, ids: _Ids, clock: SqlClock) -> None:
    for row in ids.numbers:
        phone_number_id = key.reference(row.phone_number_id)
        of_number = BudgetCallTable.phone_number_id == row.phone_number_id
        await tx.execute(update(BudgetCallTable).where(of_number).values(phone_number_id=phone_number_id))
        values = {
            "e164": key.reference(row.e164),
            "phone_number_id": phone_number_id,
            "tags": "",
            "smoke_to": None,
            "reported": None,
            "daily_volume": None,
            "wave_name": None,
            "disposition": func.coalesce(NumberTable.disposition, Disposition.CHURNED.value),
            "disposition_at": func.coalesce(NumberTable.disposition_at, clock.now()),
            "disposition_reason": GONE,
            "disposition_evidence": None,
            **NOBODY_AT_ITS_PHONE,
        }
        await tx.execute(update(NumberTable).where(NumberTable.id == row.id).values(**values))
        await tx.execute(delete(RoomTable).where(RoomTable.number_pk == row.id))
        await tx.execute(delete(WebhookTable).where(WebhookTable.number_pk == row.id))
        if row.instance_pk is not None:
            await tx.execute(
                _instance(InstanceTable.id == row.instance_pk, key.reference(f"instance {row.instance_pk}"))
            )


def _instance(condition: ColumnElement[bool], reference: str) -> Any:
    values: dict[str, Any] = {
        "name": reference,
        "base_url": "",
        "username": "",
        "command_arguments": {},
        "certificate": None,
    }
    return update(InstanceTable).where(condition).values(**values)


async def _forget_earlier_ids(tx: AsyncConnection, key: RecordKey, ids: _Ids) -> None:
    """Calls under an id that the number had before a corrected inventory gave it another one."""
    for part in chunks(ids.migrations):
        attempts = select(AttemptTable.id).where(AttemptTable.migration_pk.in_(part))
        of_attempts = BudgetCallTable.attempt_pk.in_(attempts)
        earlier = select(BudgetCallTable.phone_number_id).where(of_attempts).distinct()
        for phone_number_id in (await tx.execute(earlier)).scalars().all():
            if not phone_number_id.startswith("ref:"):
                calls = update(BudgetCallTable).where(BudgetCallTable.phone_number_id == phone_number_id)
                await tx.execute(calls.values(phone_number_id=key.reference(phone_number_id)))


async def _forget_migrations(tx: AsyncConnection, ids: _Ids) -> None:
    for part in chunks(ids.migrations):
        for table in (FindingTable, MessageTable):
            await tx.execute(delete(table).where(table.migration_pk.in_(part)))
        of = AttemptTable.migration_pk.in_(part)
        await tx.execute(update(AttemptTable).where(of).values(intent={GONE: True}, answer=None))
        await tx.execute(update(OutboxTable).where(OutboxTable.migration_pk.in_(part)).values(body={GONE: True}))
        texts = {"because": GONE, "reason": None, "senders_error": None, "foreign_waba": None}
        await tx.execute(update(MigrationTable).where(MigrationTable.id.in_(part)).values(**texts))


async def _forget_messages_to_people(tx: AsyncConnection, refs: Sequence[str], names: Sequence[str]) -> None:
    """Messages name numbers by their reference and masked, some with their customer or its account at Meta."""
    rows = (await tx.execute(select(CauseTable.id, CauseTable.key, CauseTable.title, CauseTable.lines))).all()
    words = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in (*refs, *names)))
    ids = [row.id for row in rows if words.search("\n".join([row.key, row.title, *row.lines]))]
    for part in chunks(ids):
        await tx.execute(delete(NoticeTable).where(NoticeTable.cause_pk.in_(part)))
        await tx.execute(delete(CauseTable).where(CauseTable.id.in_(part)))


async def _forget_reasons(tx: AsyncConnection, ids: _Ids) -> None:
    """What people have typed as a reason, where it stands in a row that shows what is so now."""
    for table, name in ((WaveTable.__table__, "because"), (CredentialProfileTable.__table__, "halted_because")):
        reason = table.c[name]
        for row in (await tx.execute(select(table.c.id, reason).where(reason.is_not(None)))).all():
            left = _without_names(row[1], ids)
            if left != row[1]:
                await tx.execute(update(table).where(table.c.id == row.id).values({name: left}))


def _without_names(text: str, ids: _Ids) -> str:
    names = [ids.name, *(str(value) for row in ids.numbers for value in (row.e164, row.phone_number_id))]
    for name in names:
        text = text.replace(name, GONE)
    return text
