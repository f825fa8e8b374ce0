"""Webhooks that wait: batched, sent, and repeated until a receiver accepts them. No HTTP here.

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

from sandbox import wording_variants
from sandbox.switches import Switches
from sandbox.world.webhooks import Address, Delivery, Update, envelope

MOST_UPDATES, MOST_BYTES = 1_000, 3 * 1024 * 1024
# More bytes than the envelope and an entry add to an update.
WRAPPING = 500
# "up to 7 days" (overview) against "36 hours" (create an endpoint): Meta's pages disagree, so it is a switch.
CLOUD_KEEPS: Mapping[str, timedelta] = {"7d": timedelta(days=7), "36h": timedelta(hours=36)}
# On-Premises: "typically up to 24 h", https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
ONPREM_KEEPS = timedelta(hours=24)
# Attempts that the oracle shows.
RECENT = 1_000


@dataclass(slots=True)
class Outbox:
    """Webhooks that are still to be delivered, ordered by the time at which they are due."""

    switches: Switches
    seed: int
    under_way: int = 0  # taken, and not settled yet
    counts: Counter[str] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=RECENT))
    _updates: list[tuple[datetime, int, Update]] = field(default_factory=list)
    _deliveries: list[tuple[datetime, int, Delivery]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))
    _waiting: Counter[str] = field(default_factory=Counter)
    _not_yet: dict[str, list[datetime]] = field(default_factory=dict)  # client -> times of its future updates

    def put(self, update: Update, at: datetime) -> None:
        """Sends it at `at` or, depending on the switches, later, twice, in a batch or out of order."""
        chance = random.Random(f"{self.seed}:webhook:{update.key}")
        self._push(update, at, chance)
        if self.switches.webhook_duplicates and chance.random() < self.switches.webhook_duplicates:
            self._push(update, at, chance)

    def next_due(self) -> datetime | None:
        firsts = [heap[0][0] for heap in (self._updates, self._deliveries) if heap]
        return min(firsts, default=None)

    def take(self, now: datetime) -> list[Delivery]:
        """The deliveries that are due; `settle` has to be called for each."""
        due: list[Update] = []
        while self._updates and self._updates[0][0] <= now:
            due.append(heapq.heappop(self._updates)[2])
        for delivery in self._batched(due, now):
            heapq.heappush(self._deliveries, (now, delivery.number, delivery))
        taken: list[Delivery] = []
        while self._deliveries and self._deliveries[0][0] <= now:
            taken.append(heapq.heappop(self._deliveries)[2])
        self.under_way += len(taken)
        return taken

    def settle(self, delivery: Delivery, status: int | None, now: datetime) -> None:
        """`status`: of the receiver; only 200 is success. None: no response, or one that came too late."""
        self.under_way -= 1
        accepted = status == 200
        self._record(delivery, status, now)
        if delivery.is_copy:
            return
        if not accepted and self._retry(delivery, now):
            return
        self.counts["delivered" if accepted else "dropped"] += 1
        if delivery.address.instance is not None:
            self._waiting[delivery.address.instance] -= delivery.updates
            self._future(delivery.address.instance, now)

    def _retry(self, delivery: Delivery, now: datetime) -> bool:
        """Whether it is sent again. "We retry to all subscribed apps": apps that accepted it get a copy too.

        https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
        """
        at = now + timedelta(seconds=_gap(delivery, self.switches))
        if at >= delivery.until:
            return False
        later = replace(delivery, attempt=delivery.attempt + 1)
        heapq.heappush(self._deliveries, (at, delivery.number, later))
        for address in delivery.others:
            copy = replace(later, number=next(self._numbers), address=address, others=(), is_copy=True)
            heapq.heappush(self._deliveries, (at, copy.number, copy))
        return True

    def waiting(self, instance: str, now: datetime) -> int:
        """Updates of an On-Premises client that have happened and that its receiver has not accepted yet."""
        return self._waiting[instance] - self._future(instance, now)

    def _future(self, instance: str, now: datetime) -> int:
        """Updates that are in the outbox already and happen later: a future `read` does not lengthen the queue."""
        times = self._not_yet.get(instance, [])
        while times and times[0] <= now:
            heapq.heappop(times)
        return len(times)

    def __len__(self) -> int:
        return len(self._updates) + len(self._deliveries)

    # -- parts

    def _push(self, update: Update, at: datetime, chance: random.Random) -> None:
        number = next(self._numbers)
        wait = self.switches.webhook_delay_s + self.switches.webhook_jitter_s * chance.random()
        due = _rounded_up(at + timedelta(seconds=wait), self.switches.webhook_batch_s)
        heapq.heappush(self._updates, (due, number, update))
        if update.address.instance is not None:
            self._waiting[update.address.instance] += 1
            heapq.heappush(self._not_yet.setdefault(update.address.instance, []), at)

    def _batched(self, due: Sequence[Update], now: datetime) -> Iterable[Delivery]:
        """One POST for each address; several updates in a POST only with the switch `webhook_batch_s`."""
        most = MOST_UPDATES if self.switches.webhook_batch_s else 1
        groups: dict[Address, list[list[Update]]] = {}
        left: dict[Address, int] = {}
        for update in due:
            batches = groups.setdefault(update.address, [[]])
            size = _size(update) if most > 1 else 0
            if len(batches[-1]) >= most or (batches[-1] and size > left[update.address]):
                batches.append([])
            left[update.address] = (left[update.address] if batches[-1] else MOST_BYTES - WRAPPING) - size
            batches[-1].append(update)
        for address, batches in groups.items():
            keeps = ONPREM_KEEPS if address.instance is not None else CLOUD_KEEPS[self.switches.webhook_retries]
            for batch in batches:
                payload = envelope(batch)
                if self.switches.noise == "on":
                    payload = wording_variants.vary_webhook(payload)
                body = json.dumps(payload, separators=(",", ":")).encode()
                others = {other: None for update in batch for other in update.all_addresses if other != address}
                yield Delivery(next(self._numbers), address, body, now + keeps, len(batch), others=tuple(others))

    def _record(self, delivery: Delivery, status: int | None, now: datetime) -> None:
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
    """About how many bytes the update adds to a POST."""
    return len(json.dumps(update.change, separators=(",", ":"))) + WRAPPING


def _gap(delivery: Delivery, switches: Switches) -> float:
    """Seconds until the next attempt. Cloud doubles it each time ("with decreasing frequency").

    On-Premises adds the same time again, as its settings say (`callback_backoff_delay_ms`).
    """
    address = delivery.address
    if address.instance is not None:
        return min(address.first_gap_s * delivery.attempt, address.longest_gap_s)
    first, longest = max(0.001, switches.webhook_first_gap_s), max(0.001, switches.webhook_longest_gap_s)
    return min(first * 2.0 ** min(delivery.attempt - 1, 30), longest)


def _rounded_up(at: datetime, seconds: float) -> datetime:
    if not seconds:
        return at
    return datetime.fromtimestamp(-(-at.timestamp() // seconds) * seconds, at.tzinfo)
