"""What webhooks have shown becomes what is known of numbers: each row once, in one transaction with its effects.

What comes out does not depend on the order, the copies and the batches in which the rows were stored.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.declaring import aliased
from state.enums import WaveState
from state.ledger import account_limits, restriction_ends, wave_events, wave_members
from state.ledger.versions import of_waba, raise_versions
from state.ledger.waiting_webhooks import is_waiting
from state.ledger.webhooks import ON_PREMISES
from state.models import MessageTable, MigrationTable, NumberTable, WabaTable, WaveTable, WebhookTable
from state.proof import ARRIVED, NO_MESSAGE, STATES, Report, Weight, at_time, word_for
from state.types import SqlClock

AT_ONCE = 500  # rows in one transaction
FUTURE = timedelta(minutes=10)  # a time that lies further ahead says nothing about whether it is after the move
REPORTED = "what Meta's webhooks report of an account or a number of it; `cutover status` says what"
META = "Meta's webhook"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one webhook means beyond messages: see `migration/waves/reported.py`.

    `halts`: no further number should cross. `changes_pin`: the two-step PIN is another one from `report.at` on.
    `of_account`: it is true of every number of the WABA, also where the webhook names one of them.
    """

    report: Report
    halts: bool = False
    changes_pin: bool = False
    of_account: bool = False
    once: bool = False  # it halts nothing where it was known before, and a person has released the wave since


# Field, kind and facts of a row, and the Unix time to use where it has none of its own.
ReadMeaning = Callable[[str, str, Mapping[str, Any], int], Meaning | None]


@dataclass(frozen=True, slots=True)
class Applied:
    """`rows`: how many webhooks; `waves`: which waves were halted by them."""

    rows: int = 0
    waves: tuple[str, ...] = ()


@dataclass(slots=True)
class _Batch:
    """Rows by what they concern."""

    of_number: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    of_waba: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: Any) -> None:
        if row.number_pk is not None:
            self.of_number[row.number_pk].append(row)
        else:
            self.of_waba[row.waba_id].append(row)


class Proofs:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def apply(self, read: ReadMeaning, limit: int = AT_ONCE) -> Applied:
        """Record the effects of the oldest webhooks that have none yet. Safe beside workers, and to repeat."""
        async with self._engine.begin() as tx:
            rows = await self._take(tx, limit)
            batch = _Batch()
            for row in sorted(rows, key=lambda one: one.id):
                batch.add(row)
            migrations = await _lock_migrations(tx, batch.of_number)
            ended: _OfWabas = defaultdict(list)
            for number_pk, found in batch.of_number.items():
                mine = [row for row in migrations if row.number_pk == number_pk]
                delivered = await _apply_messages(tx, found, mine)
                if mine:  # all of one number, and so of one WABA
                    ended[mine[0].waba_pk] += _ended_by_deliveries(delivered)
            halting = await _apply_reports(tx, batch, read, ended)
            waves = await self._halt(tx, halting)
        return Applied(len(rows), waves)

    async def end_restrictions(self) -> tuple[int, int]:
        """How many accounts are doubted no longer for what has an end, and how many of their numbers are due again."""
        async with self._engine.begin() as tx:
            return await restriction_ends.end_restrictions(tx, self._clock)

    async def _take(self, tx: AsyncConnection, limit: int) -> Sequence[Any]:
        """Mark them first: this takes SQLite's lock. On PostgreSQL two processes take different rows."""
        oldest = select(WebhookTable.id).where(is_waiting()).order_by(WebhookTable.id).limit(limit)
        oldest = oldest.with_for_update(skip_locked=True, key_share=True)
        taken = (
            update(WebhookTable)
            .where(WebhookTable.id.in_(oldest), WebhookTable.applied_at.is_(None))
            .values(applied_at=self._clock.now())
            .returning(*WebhookTable.__table__.columns)
        )
        return (await tx.execute(taken)).all()

    async def _halt(self, tx: AsyncConnection, halting: "_Halting") -> tuple[str, ...]:
        """Running waves with numbers that have not crossed, of those accounts and numbers.

        A number in no wave is held at its gate: its worker has to read again.
        """
        if not halting.numbers and not halting.wabas:
            return ()
        alone = and_(MigrationTable.wave_pk.is_(None), MigrationTable.crossed_at.is_(None))
        of_them = [MigrationTable.number_pk.in_(sorted(halting.numbers)), *map(of_waba, sorted(halting.wabas))]
        await raise_versions(tx, alone, or_(*of_them))
        concerned = or_(NumberTable.id.in_(sorted(halting.numbers)), WabaTable.id.in_(sorted(halting.wabas)))
        waves = (
            select(MigrationTable.wave_pk)
            .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
            .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
            .where(MigrationTable.ended_at.is_(None), MigrationTable.crossed_at.is_(None), concerned)
        )
        halted = (
            update(WaveTable)
            .where(WaveTable.state == WaveState.RUNNING, WaveTable.id.in_(waves))
            .values(state=WaveState.HALTED, because=REPORTED)
            .returning(WaveTable.id, WaveTable.name)
        )
        found = sorted((await tx.execute(halted)).all())
        for wave_pk, _ in found:
            await wave_members.make_held_due(tx, wave_pk)
            await wave_events.append(tx, self._clock, wave_pk, WaveState.HALTED.value, META, REPORTED)
        return tuple(name for _, name in found)


@dataclass(slots=True)
class _Halting:
    numbers: set[int] = field(default_factory=set)
    wabas: set[int] = field(default_factory=set)


async def _lock_migrations(tx: AsyncConnection, numbers: Iterable[int]) -> Sequence[Any]:
    query = (
        select(
            MigrationTable.id,
            MigrationTable.number_pk,
            MigrationTable.crossed_at,
            MigrationTable.created_at,
            MigrationTable.receives_at,
            MigrationTable.word_at,
            MigrationTable.foreign_waba,
            NumberTable.phone_number_id,
            NumberTable.waba_pk,
            WabaTable.waba_id,
        )
        .join(NumberTable, NumberTable.id == MigrationTable.number_pk)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .where(MigrationTable.number_pk.in_(sorted(numbers)))
        .order_by(MigrationTable.id)
    )
    return (await tx.execute(query.with_for_update(of=MigrationTable.__table__, key_share=True))).all()


# -- what Meta reports


_OfWabas = dict[int, list[Meaning]]  # by the row of the WABA


async def _apply_reports(tx: AsyncConnection, batch: _Batch, read: ReadMeaning, of_wabas: _OfWabas) -> _Halting:
    """`of_wabas`: what else is known of accounts; what the rows of one number say of its account joins it."""
    halting = _Halting()
    numbers = select(
        NumberTable.id, NumberTable.waba_pk, NumberTable.reported, NumberTable.pin_since, NumberTable.pin_provenance
    )
    numbers = numbers.where(NumberTable.id.in_(sorted(batch.of_number))).order_by(NumberTable.id)
    for number in (await tx.execute(numbers.with_for_update(of=NumberTable.__table__, key_share=True))).all():
        meanings = list(_meanings(batch.of_number[number.id], read))
        found = [meaning for meaning in meanings if not meaning.of_account]
        of_wabas[number.waba_pk] += [meaning for meaning in meanings if meaning.of_account]
        reported = _over(number.reported, found)
        if reported != number.reported:
            await tx.execute(update(NumberTable).where(NumberTable.id == number.id).values(reported=reported))
        halting.numbers |= {number.id for meaning in found if meaning.halts}
        await _forget_changed_pin(tx, number, found)
    named = [waba_pk for waba_pk, found in of_wabas.items() if found]
    wabas = select(WabaTable.id, WabaTable.waba_id, WabaTable.reported).order_by(WabaTable.id)
    wabas = wabas.where(or_(WabaTable.waba_id.in_(sorted(batch.of_waba)), WabaTable.id.in_(sorted(named))))
    for waba in (await tx.execute(wabas.with_for_update(of=WabaTable.__table__, key_share=True))).all():
        found = [*_meanings(batch.of_waba.get(waba.waba_id, ()), read), *of_wabas.get(waba.id, ())]
        reported = _over(waba.reported, found)
        if any(row.field == account_limits.FIELD for row in batch.of_waba.get(waba.waba_id, ())):
            reports = await account_limits.limit_reports(tx, waba.id, waba.waba_id)
            reported = {**(reported or {}), **{one.topic: one.as_row() for one in reports}} or None
        if reported != waba.reported:
            await tx.execute(update(WabaTable).where(WabaTable.id == waba.id).values(reported=reported))
        halting.wabas |= {waba.id for one in found if one.halts and not (one.once and _stands(waba.reported, one))}
    return halting


def _meanings(rows: Sequence[Any], read: ReadMeaning) -> Iterable[Meaning]:
    for row in rows:
        meaning = read(row.field, row.kind, row.facts, int(row.received_at.timestamp()))
        if meaning is not None:
            yield meaning


def _stands(reported: Mapping[str, Any] | None, meaning: Meaning) -> bool:
    return bool((reported or {}).get(meaning.report.topic, {}).get("weight") == Weight.DOUBT)


def _over(known: Mapping[str, Any] | None, found: Sequence[Meaning]) -> Mapping[str, Any] | None:
    for meaning in found:
        known = meaning.report.over(known)
    return known


async def _forget_changed_pin(tx: AsyncConnection, number: Any, found: Sequence[Meaning]) -> None:
    """Somebody has set another PIN after the one that is known was set: what is known is sent to `register` no more."""
    since: datetime | None = number.pin_since
    known_from = int(since.timestamp()) if since is not None else 0
    if number.pin_provenance is None or all(not one.changes_pin or one.report.at <= known_from for one in found):
        return
    await tx.execute(update(NumberTable).where(NumberTable.id == number.id).values(pin_provenance=None))
    await raise_versions(tx, MigrationTable.number_pk == number.id)


# -- messages


async def _apply_messages(
    tx: AsyncConnection, rows: Sequence[Any], migrations: Sequence[Any]
) -> Sequence[tuple[Any, datetime]]:
    """Returns the rows that tell of our own messages, each with when its message was written down as sent."""
    statuses = [row for row in rows if row.kind == "status" and row.field != ON_PREMISES]
    ours = await _update_messages(tx, statuses, [row.id for row in migrations])
    for migration_pk in sorted(ours):
        await update_smoke(tx, migration_pk)
    if migrations:
        await _update_newest(tx, rows, migrations[-1])
    return [about for found in ours.values() for about in found]


async def _update_messages(
    tx: AsyncConnection, statuses: Sequence[Any], migrations: Sequence[int]
) -> Mapping[int, Sequence[tuple[Any, datetime]]]:
    """Of what was sent: states, times and error codes. Returns, by migration, the rows about its messages.

    Beside each row, when its message was written down as sent.
    """
    hashes = sorted({row.message for row in statuses if row.message is not None})
    correlations = sorted({row.correlation for row in statuses if row.correlation is not None})
    if not hashes:
        return {}
    is_one = or_(MessageTable.wamid.in_(hashes), MessageTable.correlation.in_(correlations))
    query = select(MessageTable.__table__).where(MessageTable.migration_pk.in_(migrations), is_one)
    touched: dict[int, list[tuple[Any, datetime]]] = defaultdict(list)
    for message in (await tx.execute(query)).all():
        about = [row for row in statuses if _is_about(row, message)]
        if message.wamid is None:
            await _name_message(tx, message, about)
        await tx.execute(
            update(MessageTable).where(MessageTable.id == message.id).values(**_message_values(message, about))
        )
        touched[message.migration_pk] += [(row, message.at) for row in about]
    return touched


def _ended_by_deliveries(rows: Sequence[tuple[Any, datetime]]) -> Iterable[Meaning]:
    """Of rows about messages of ours: one that has arrived shows that its account was not locked when it was sent.

    Somebody who reads today what was sent yesterday says nothing about an account that was locked in between.
    One that was paid for shows that the account can pay, and may begin conversations: what is free is neither. Meta has
    no webhook for the end of any of these.
    """
    for row, sent_at in rows:
        told = at_time(row.facts.get("at"))
        at = min(told, sent_at) if told is not None else None
        if at is None or row.facts.get("status") not in ARRIVED:
            continue
        for topic in ("locked", "payment", "beginning") if row.facts.get("paid") else ("locked",):
            report = Report(topic, int(at.timestamp()), "a message has arrived", Weight.FINE)
            yield Meaning(report, of_account=True)


def _is_about(row: Any, message: Any) -> bool:
    return row.correlation == message.correlation or (message.wamid is not None and row.message == message.wamid)


async def _name_message(tx: AsyncConnection, message: Any, rows: Sequence[Any]) -> None:
    """Its answer was lost: the webhooks say which id it has, and what they said under that id counts from now on."""
    wamid = min((row.message for row in rows if row.message is not None), default=None)
    other = select(MessageTable.id).where(MessageTable.wamid == wamid)
    if wamid is None or (await tx.execute(other)).first() is not None:
        return
    await tx.execute(update(MessageTable).where(MessageTable.id == message.id).values(wamid=wamid))
    await count_again(tx, message.migration_pk, wamid)


async def count_again(tx: AsyncConnection, migration_pk: int, wamid: str) -> None:
    """What webhooks said under this id, before it was known whose it is."""
    table = aliased(WebhookTable, "told_before")
    number = select(MigrationTable.number_pk).where(MigrationTable.id == migration_pk).scalar_subquery()
    told = select(table.id).where(table.message == wamid, table.number_pk == number, table.kind == "status")
    await tx.execute(update(WebhookTable).where(WebhookTable.id.in_(told)).values(applied_at=None))


def _message_values(message: Any, rows: Sequence[Any]) -> dict[str, Any]:
    states = [message.state, *(row.facts.get("status") for row in rows)]
    known = [("read" if state == "played" else state) for state in states if state in (*STATES, "played")]
    failed = [row for row in rows if row.facts.get("status") == "failed"]
    codes = [row.facts["code"] for row in failed if isinstance(row.facts.get("code"), int)]
    return {
        "state": max(known, key=STATES.index),
        "error": min([*codes, *([message.error] if message.error is not None else [])], default=0 if failed else None),
        "sent_at": _earliest(message.sent_at, [row for row in rows if row.facts.get("status") == "sent"]),
        "delivered_at": _earliest(message.delivered_at, [row for row in rows if row.facts.get("status") in ARRIVED]),
        "failed_at": _earliest(message.failed_at, failed),
    }


def _earliest(known: datetime | None, rows: Sequence[Any]) -> datetime | None:
    times = [at_time(row.facts.get("at")) or row.received_at for row in rows]
    return min([*times, *([known] if known is not None else [])], default=None)


async def update_smoke(tx: AsyncConnection, migration_pk: int) -> None:
    """What a migration's messages say together: the newest one's state, and when one was delivered.

    One that was delivered before another failed proves nothing any more, also while a third is under way.
    """
    query = select(MessageTable.__table__).where(MessageTable.migration_pk == migration_pk).order_by(MessageTable.id)
    messages = (await tx.execute(query)).all()
    newest = messages[-1] if messages else None
    failed = max((row.id for row in messages if row.state == "failed"), default=0)
    delivered = [row.delivered_at for row in messages if row.id > failed and row.delivered_at is not None]
    values = {
        "smoke_state": newest.state if newest is not None else None,
        "smoke_error": (newest.error or 0) if newest is not None and newest.state == "failed" else None,
        "sends_at": max(delivered, default=None),
    }
    await tx.execute(update(MigrationTable).where(MigrationTable.id == migration_pk).values(**values))


async def _update_newest(tx: AsyncConnection, rows: Sequence[Any], migration: Any) -> None:
    """What came in for the number since its last move."""
    word = word_for(migration.phone_number_id, migration.id)
    since = (migration.crossed_at or migration.created_at).replace(microsecond=0)
    timed = [(at_time(row.facts.get("at")), row) for row in rows if row.field == "messages" and row.kind != "error"]
    live = [(at, row) for at, row in timed if at is not None and since <= at <= row.received_at + FUTURE]
    inbound = [(at, row) for at, row in live if row.kind == "message" and _is_of_consumer(row.facts.get("type"))]
    own = [(at, row) for at, row in inbound if row.waba_id == migration.waba_id]
    foreign = [row.waba_id for _, row in live if row.waba_id and row.waba_id != migration.waba_id]  # "": it names none
    values = {
        "receives_at": _latest(migration.receives_at, [at for at, _ in own]),
        "word_at": _latest(migration.word_at, [at for at, row in own if row.facts.get("word") == word]),
        "foreign_waba": max([*foreign, *filter(None, [migration.foreign_waba])], default=None),
    }
    if any(value != getattr(migration, name) for name, value in values.items()):
        await tx.execute(update(MigrationTable).where(MigrationTable.id == migration.id).values(**values))


def _is_of_consumer(kind: object) -> bool:
    """A message of no kind is none that Meta documents: it proves nothing."""
    return isinstance(kind, str) and kind not in NO_MESSAGE


def _latest(known: datetime | None, times: Sequence[datetime]) -> datetime | None:
    return max([*times, *([known] if known is not None else [])], default=None)
