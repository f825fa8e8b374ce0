"""Webhooks on their way: gathered, and repeated until they are taken. No HTTP in here.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (retries, up to 3 MB)
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint (up to 1,000
updates in a POST)
"""

import heapq
import json
import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from sandbox import wording_variants as noise
from sandbox.switches import Switches
from sandbox.world.webhooks import Address, Delivery, Update, envelope

MOST_UPDATES, MOST_BYTES = 1_000, 3 * 1024 * 1024
# What the envelope and each entry add to an update's own bytes, generously.
WRAPPING = 500
# "up to 7 days" (overview) against "36 hours" (create an endpoint): Meta's pages disagree, so it is a switch.
CLOUD_KEEPS: Mapping[str, timedelta] = {"7d": timedelta(days=7), "36h": timedelta(hours=36)}
# On-Premises: "typically up to 24 h", https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
ONPREM_KEEPS = timedelta(hours=24)
# Rows of what was handed over, for the oracle.
REMEMBERED = 1_000


@dataclass(slots=True)
class Outbox:
    """What is still to be delivered, by the time it is due."""

    switches: Switches
    seed: int
    under_way: int = 0  # taken and not settled yet
    counts: Counter[str] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _updates: list[tuple[datetime, int, Update]] = field(default_factory=list)
    _deliveries: list[tuple[datetime, int, Delivery]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))
    _waiting: Counter[str] = field(default_factory=Counter)
    _not_yet: dict[str, list[datetime]] = field(default_factory=dict)  # when what a client will tell is going to happen

    def put(self, update: Update, at: datetime) -> None:
        """To be sent at `at` or, with the switches of the network, later, twice, in company or out of order."""
        luck = random.Random(f"{self.seed}:webhook:{update.key}")
        self._push(update, at, luck)
        if self.switches.webhook_duplicates and luck.random() < self.switches.webhook_duplicates:
            self._push(update, at, luck)

    def next_due(self) -> datetime | None:
        firsts = [heap[0][0] for heap in (self._updates, self._deliveries) if heap]
        return min(firsts, default=None)

    def take(self, now: datetime) -> list[Delivery]:
        """The POSTs that are due; each has to be settled."""
        due: list[Update] = []
        while self._updates and self._updates[0][0] <= now:
            due.append(heapq.heappop(self._updates)[2])
        for delivery in self._gathered(due, now):
            heapq.heappush(self._deliveries, (now, delivery.number, delivery))
        found: list[Delivery] = []
        while self._deliveries and self._deliveries[0][0] <= now:
            found.append(heapq.heappop(self._deliveries)[2])
        self.under_way += len(found)
        return found

    def settle(self, delivery: Delivery, status: int | None, now: datetime) -> None:
        """200 is the only success; None is no answer, or one that came too late."""
        self.under_way -= 1
        taken = status == 200
        self._note(delivery, status, now)
        if delivery.echo:
            return
        if not taken and self._again(delivery, now):
            return
        self.counts["delivered" if taken else "dropped"] += 1
        if delivery.address.instance is not None:
            self._waiting[delivery.address.instance] -= delivery.updates
            self._ahead(delivery.address.instance, now)

    def _again(self, delivery: Delivery, now: datetime) -> bool:
        """Whether it is tried again. "We retry to all subscribed apps", so those that took it get it once more:

        https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
        """
        at = now + timedelta(seconds=_gap(delivery, self.switches))
        if at >= delivery.until:
            return False
        later = replace(delivery, attempt=delivery.attempt + 1)
        heapq.heappush(self._deliveries, (at, delivery.number, later))
        for address in delivery.others:
            echo = replace(later, number=next(self._numbers), address=address, others=(), echo=True)
            heapq.heappush(self._deliveries, (at, echo.number, echo))
        return True

    def waiting(self, instance: str, now: datetime) -> int:
        """How many updates of an On-Premises client its partner has not taken yet, of those that have happened."""
        return self._waiting[instance] - self._ahead(instance, now)

    def _ahead(self, instance: str, now: datetime) -> int:
        """How many are known already and happen later: that a consumer is going to read fills no queue."""
        times = self._not_yet.get(instance, [])
        while times and times[0] <= now:
            heapq.heappop(times)
        return len(times)

    def __len__(self) -> int:
        return len(self._updates) + len(self._deliveries)

    # -- parts

    def _push(self, update: Update, at: datetime, luck: random.Random) -> None:
        number = next(self._numbers)
        wait = self.switches.webhook_delay_s + self.switches.webhook_jitter_s * luck.random()
        due = _rounded_up(at + timedelta(seconds=wait), self.switches.webhook_batch_s)
        heapq.heappush(self._updates, (due, number, update))
        if update.address.instance is not None:
            self._waiting[update.address.instance] += 1
            heapq.heappush(self._not_yet.setdefault(update.address.instance, []), at)

    def _gathered(self, due: Sequence[Update], now: datetime) -> Iterable[Delivery]:
        """Company only where the switch asks for it; one address a POST."""
        most = MOST_UPDATES if self.switches.webhook_batch_s else 1
        groups: dict[Address, list[list[Update]]] = {}
        left: dict[Address, int] = {}
        for update in due:
            parcels = groups.setdefault(update.address, [[]])
            size = _size(update) if most > 1 else 0
            if len(parcels[-1]) >= most or (parcels[-1] and size > left[update.address]):
                parcels.append([])
            left[update.address] = (left[update.address] if parcels[-1] else MOST_BYTES - WRAPPING) - size
            parcels[-1].append(update)
        for address, parcels in groups.items():
            keeps = ONPREM_KEEPS if address.instance is not None else CLOUD_KEEPS[self.switches.webhook_retries]
            for parcel in parcels:
                told = envelope(parcel)
                if self.switches.noise == "on":
                    told = noise.webhook(told)
                body = json.dumps(told, separators=(",", ":")).encode()
                others = {one: None for update in parcel for one in update.everybody if one != address}
                yield Delivery(next(self._numbers), address, body, now + keeps, len(parcel), others=tuple(others))

    def _note(self, delivery: Delivery, status: int | None, now: datetime) -> None:
        self.counts["attempts"] += 1
        self.recent.append(
            {
                "at": now.isoformat(),
                "url": delivery.url,
                "attempt": delivery.attempt,
                "updates": delivery.updates,
                "bytes": len(delivery.body),
                "status": status,
            }
        )


def _size(update: Update) -> int:
    """About how many bytes it takes in a POST."""
    return len(json.dumps(update.change, separators=(",", ":"))) + WRAPPING


def _gap(delivery: Delivery, switches: Switches) -> float:
    """Cloud doubles it each time ("with decreasing frequency"); On-Premises adds the same again, as its settings say
    (`callback_backoff_delay_ms`)."""
    address = delivery.address
    if address.instance is not None:
        return min(address.first_gap_s * delivery.attempt, address.longest_gap_s)
    first, longest = max(0.001, switches.webhook_first_gap_s), max(0.001, switches.webhook_longest_gap_s)
    return min(first * 2.0 ** min(delivery.attempt - 1, 30), longest)


def _rounded_up(at: datetime, seconds: float) -> datetime:
    if not seconds:
        return at
    return datetime.fromtimestamp(-(-at.timestamp() // seconds) * seconds, at.tzinfo)
