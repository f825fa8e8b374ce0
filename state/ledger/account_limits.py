"""What `business_capability_update` says of an account's limits, against what was known of them before.

It names the new limits alone: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/business_capability_update
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from state.models import FindingTable, MigrationTable, NumberTable, WebhookTable
from state.proof import LIMITS, Report, Weight, at_time

FIELD = "business_capability_update"
LEAST = "TIER_250"  # of a new business portfolio; where nothing is known from before, people may want to know of it
# Both of the business portfolio; the second one was to be removed in February 2026, and -1 stands for no limit.
NAMES = ("max_daily_conversations_per_business", "max_daily_conversation_per_phone")
TIERS: Mapping[str, str] = {
    "50": "TIER_50",
    "250": "TIER_250",
    "1000": "TIER_1K",
    "2000": "TIER_2K",
    "10000": "TIER_10K",
    "100000": "TIER_100K",
    "-1": "TIER_UNLIMITED",
}
NUMBERS = ("max_phone_numbers_per_business", "max_phone_numbers_per_waba")


@dataclass(frozen=True, slots=True, order=True)
class _Known:
    """A messaging limit at a time; of one second the lower one counts as the later."""

    at: int
    lowness: int

    @property
    def limit(self) -> str:
        return LIMITS[-self.lowness]


async def limit_reports(tx: AsyncConnection, waba_pk: int, waba_id: str) -> Sequence[Report]:
    """By all webhooks of the account that are kept, and by the snapshots of its numbers: in any order the same.

    A messaging limit below the highest that was known is a doubt. Fewer numbers than the account has hinder no move
    of a number that it has already: people are told.
    """
    webhooks = select(WebhookTable.facts, WebhookTable.received_at)
    webhooks = webhooks.where(WebhookTable.waba_id == waba_id, WebhookTable.field == FIELD)
    told = [(_seconds(row.facts, row.received_at), row.facts) for row in (await tx.execute(webhooks)).all()]
    numbers = select(NumberTable.id).where(NumberTable.waba_pk == waba_pk)
    snapshots = (
        select(FindingTable.at, FindingTable.facts)
        .join(MigrationTable, MigrationTable.id == FindingTable.migration_pk)
        .where(MigrationTable.number_pk.in_(numbers), FindingTable.step == "snapshot", FindingTable.kind == "result")
    )
    read = [(int(row.at.timestamp()), row.facts) for row in (await tx.execute(snapshots)).all()]
    count = (await tx.execute(select(func.count()).select_from(numbers.subquery()))).scalar_one()
    known = [*_known((at, _told(facts)) for at, facts in told), *_known((at, _read(facts)) for at, facts in read)]
    return [*_messaging(known), *_phones(told, int(count))]


def _messaging(known: Sequence[_Known]) -> Iterable[Report]:
    if not known:
        return
    latest, before = max(known), [one for one in known if one < max(known)]
    highest = min((one.lowness for one in before), default=latest.lowness)
    if latest.lowness > highest:
        yield Report("limit", latest.at, f"{LIMITS[-highest]} to {latest.limit}", Weight.DOUBT)
    else:
        told = not before and latest.limit == LEAST
        yield Report("limit", latest.at, latest.limit, Weight.TELL if told else Weight.FINE)


def _phones(told: Sequence[tuple[int, Mapping[str, Any]]], count: int) -> Iterable[Report]:
    rows = [(at, fact) for at, facts in told for name in NUMBERS if isinstance(fact := facts.get(name), int)]
    if not rows:
        return
    at = max(at for at, _ in rows)
    allowed = min(fact for when, fact in rows if when == at)
    words, fewer = f"{allowed} allowed, {count} known here", 0 <= allowed < count
    yield Report("numbers", at, words, Weight.TELL if fewer else Weight.FINE)


def _known(rows: Iterable[tuple[int, object]]) -> Iterable[_Known]:
    for at, limit in rows:
        if limit in LIMITS:
            yield _Known(at, -LIMITS.index(str(limit)))


def _told(facts: Mapping[str, Any]) -> str | None:
    given = next((str(facts[name]) for name in NAMES if facts.get(name) is not None), "")
    return TIERS.get(given, given)


def _read(facts: Mapping[str, Any]) -> object:
    graph = (facts.get("before") or {}).get("graph") or {}
    return graph.get("whatsapp_business_manager_messaging_limit")


def _seconds(facts: Mapping[str, Any], received: Any) -> int:
    at = at_time(facts.get("at"))
    return int((at or received).timestamp())
