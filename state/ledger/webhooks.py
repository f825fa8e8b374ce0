"""What webhooks say of numbers under migration: each update stored once, whatever the order and the copies."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from state.ledger.inserting import chunks, write_all_or_nothing
from state.models import CredentialProfileTable, NumberTable, WabaTable, WebhookTable
from state.phone_spelling import spellings
from state.types import SqlClock

# Fields that always concern one number: where it is not ours, nothing of them is, even in a WABA of ours.
ON_PREMISES = "onprem_messages"  # our name for what an On-Premises client posts
# What Meta has answered to a call of ours has the effects of a webhook that says the same. No webhook has such a field:
# it is no single word.
ANSWERS = "answer to our call"
# The same of events of `account_update`: a number that is on the Business app too was disconnected, or connected again.
OF_NAMED_NUMBER = ("ACCOUNT_OFFBOARDED", "ACCOUNT_RECONNECTED")
OF_ONE_NUMBER = (ON_PREMISES, "messages", "phone_number_quality_update", "phone_number_name_update", "security")


@dataclass(frozen=True, slots=True)
class WebhookUpdate:
    """One update. `phone_number_id` and `phone` (+ and digits) say which number it concerns, as far as it says so.

    `message`: SHA-256 of the message id. `digest`: of the whole change, where it concerns no message.
    """

    profile: str
    app_id: str  # of the profile: its secret has signed the update
    waba_id: str
    phone_number_id: str | None
    phone: str | None
    field: str
    kind: str
    message: str | None
    facts: Mapping[str, str | int | bool]
    digest: str = ""
    correlation: str | None = None  # of a smoke message of ours

    @property
    def key(self) -> str:
        """Over all that is stored, so that which of two copies arrives first makes no difference."""
        parts = (self.app_id, self.waba_id, self.phone_number_id, self.phone, self.field, self.kind, self.message)
        ours = () if self.correlation is None else (self.correlation,)
        text = json.dumps([*parts, self.digest, sorted(self.facts.items()), *ours])
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredUpdates:
    """How many were written, were there before, and concern no number or WABA of the fleet under that app."""

    stored: int
    duplicates: int
    not_ours: int


@dataclass(frozen=True, slots=True)
class _Ours:
    """By app and id: numbers by phone number id and by phone number, and WABAs."""

    numbers: Mapping[tuple[str, str], int]
    wabas: Collection[tuple[str, str]]

    def place(self, update: WebhookUpdate) -> tuple[int | None] | None:
        """The number's row, (None,) for a WABA as a whole; None where it is neither."""
        if update.phone_number_id is not None:  # a phone number beside it says nothing more
            number = self.numbers.get((update.app_id, update.phone_number_id))
            return None if number is None else (number,)
        number = self.numbers.get((update.app_id, update.phone or ""))
        if number is not None:
            return (number,)
        of_another = update.phone is not None and update.facts.get("event") in OF_NAMED_NUMBER
        of_waba = update.field not in OF_ONE_NUMBER and (update.app_id, update.waba_id) in self.wabas and not of_another
        return (None,) if of_waba else None


class Webhooks:
    def __init__(self, engine: AsyncEngine, clock: SqlClock) -> None:
        self._engine = engine
        self._clock = clock

    async def store(self, updates: Sequence[WebhookUpdate]) -> StoredUpdates:
        """All in one transaction; when this returns, they are durable."""
        async with self._engine.begin() as tx:
            ours = await _ours(tx, updates)
            now = (await tx.execute(select(self._clock.now()))).scalar_one()
            rows = {}
            not_ours = 0
            for update in updates:
                place = ours.place(update)
                if place is None:
                    not_ours += 1
                else:
                    rows[update.key] = _row(update, place[0]) | {"received_at": now}
            stored = await _write(tx, list(rows.values()))
        return StoredUpdates(stored, len(updates) - not_ours - stored, not_ours)

    async def drop_older(self, than: timedelta) -> int:
        """How many were deleted."""
        async with self._engine.begin() as tx:
            old = WebhookTable.received_at <= self._clock.now(-than)
            return int((await tx.execute(delete(WebhookTable).where(old))).rowcount)


async def keep_answer(
    tx: AsyncConnection, number_id: int, kind: str, facts: Mapping[str, str | int | bool], at: datetime, call: str
) -> None:
    """What Meta has answered about the number, or its account, to a call of ours.

    `kind`: as of a webhook, `error` or `change`. `call`: names the call, and is kept as its SHA-256.
    """
    told = {**facts, "at": int(at.timestamp())}
    query = (
        select(CredentialProfileTable.name, CredentialProfileTable.app_id, WabaTable.waba_id)
        .join(WabaTable, WabaTable.profile_id == CredentialProfileTable.id)
        .join(NumberTable, NumberTable.waba_pk == WabaTable.id)
        .where(NumberTable.id == number_id)
    )
    of = (await tx.execute(query)).one()
    digest = hashlib.sha256(call.encode()).hexdigest()
    answer = WebhookUpdate(of.name, of.app_id or "", of.waba_id, None, None, ANSWERS, kind, None, told, digest)
    await _write(tx, [_row(answer, number_id) | {"received_at": at}])


def _row(update: WebhookUpdate, number: int | None) -> dict[str, Any]:
    return {
        "key": update.key,
        "profile": update.profile,
        "waba_id": update.waba_id,
        "number_pk": number,
        "field": update.field,
        "kind": update.kind,
        "message": update.message,
        "facts": dict(update.facts),
        "correlation": update.correlation,
    }


async def _write(tx: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> int:
    stored = 0
    # Sorted: two processes that write the same rows wait for each other, and not in a circle.
    for part in chunks(sorted(rows, key=lambda row: str(row["key"]))):
        stored += await write_all_or_nothing(tx, WebhookTable, part, returning=WebhookTable.id)
    return stored


async def _ours(tx: AsyncConnection, updates: Sequence[WebhookUpdate]) -> _Ours:
    numbers: dict[tuple[str, str], int] = {}
    ids = sorted({update.phone_number_id for update in updates if update.phone_number_id is not None})
    phones = {form for phone in {update.phone for update in updates} if phone is not None for form in spellings(phone)}
    of_app = (
        select(CredentialProfileTable.app_id, NumberTable.id, NumberTable.phone_number_id, NumberTable.e164)
        .join(WabaTable, WabaTable.id == NumberTable.waba_pk)
        .join(CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id)
    )
    for part in chunks(sorted({*ids, *phones})):
        found = or_(NumberTable.phone_number_id.in_(part), NumberTable.e164.in_(part))
        for row in await tx.execute(of_app.where(found)):
            for form in spellings(row.e164):  # Meta may write it in another form than the inventory
                numbers.setdefault((row.app_id, form), row.id)
            numbers[row.app_id, row.phone_number_id] = row.id
            numbers[row.app_id, row.e164] = row.id
    query = select(CredentialProfileTable.app_id, WabaTable.waba_id).join(
        CredentialProfileTable, CredentialProfileTable.id == WabaTable.profile_id
    )
    wabas: set[tuple[str, str]] = set()
    for part in chunks(sorted({update.waba_id for update in updates})):
        wabas |= {(row.app_id, row.waba_id) for row in await tx.execute(query.where(WabaTable.waba_id.in_(part)))}
    return _Ours(numbers, wabas)
