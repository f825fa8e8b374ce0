"""Webhooks on their way: addressed, gathered, signed, repeated until they are taken. No HTTP in here.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (retries, up to 3 MB)
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint (signature,
handshake, up to 1,000 updates in a POST)
"""

import hashlib
import heapq
import hmac
import json
import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode, urlsplit

from migration.sandbox.switches import Switches

MOST_UPDATES = 1_000
# "up to 7 days" (overview) against "36 hours" (create an endpoint): Meta's pages disagree, so it is a switch.
CLOUD_KEEPS: Mapping[str, timedelta] = {"7d": timedelta(days=7), "36h": timedelta(hours=36)}
# On-Premises: "typically up to 24 h", https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
ONPREM_KEEPS = timedelta(hours=24)
# Cloud repeats "with decreasing frequency"; the gaps are undocumented and these are ours.
FIRST_GAP_S, LONGEST_GAP_S = 5.0, 6 * 3600.0
# Rows of what was handed over, for the oracle.
REMEMBERED = 1_000
# Names that nobody can own (RFC 2606): what goes there is taken, so that a story needs no receiver.
NOBODYS = (".example", ".test", ".invalid")


@dataclass(frozen=True, slots=True)
class Address:
    """`secret` signs for Cloud; On-Premises does not sign. `instance` None: Cloud."""

    url: str
    secret: str | None = None
    instance: str | None = None
    first_gap_s: float = FIRST_GAP_S
    longest_gap_s: float = LONGEST_GAP_S

    @property
    def is_nobodys(self) -> bool:
        return _nobodys(self.url)


@dataclass(frozen=True, slots=True)
class Update:
    """One thing that happened. Cloud: a change of one WABA (`entry`). On-Premises: top-level arrays.

    `key` is what its luck on the network is drawn from: the same whatever other numbers do.
    """

    address: Address
    entry: str
    change: Mapping[str, Any]
    key: str
    time: int | None = None


@dataclass(slots=True)
class Delivery:
    """One POST. `attempt` counts from 1; `until` is when it is given up."""

    number: int
    address: Address
    body: bytes
    until: datetime
    updates: int = 1
    attempt: int = 1

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def headers(self) -> dict[str, str]:
        told = {"content-type": "application/json"}
        if self.address.secret is not None:
            digest = hmac.new(self.address.secret.encode(), self.body, hashlib.sha256).hexdigest()
            told |= {"x-hub-signature-256": f"sha256={digest}", "user-agent": "facebookexternalua"}
        return told


@dataclass(frozen=True, slots=True)
class Handshake:
    """The question that Meta asks a new address."""

    url: str
    verify_token: str
    challenge: str

    @property
    def target(self) -> str:
        asked = {"hub.mode": "subscribe", "hub.challenge": self.challenge, "hub.verify_token": self.verify_token}
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(asked)}"

    @property
    def is_nobodys(self) -> bool:
        return _nobodys(self.url)

    def passed(self, status: int, body: str) -> bool:
        return status == 200 and body.strip() == self.challenge


@dataclass(slots=True)
class Outbox:
    """What is still to be delivered, by the time it is due."""

    switches: Switches
    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    recent: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _updates: list[tuple[datetime, int, Update]] = field(default_factory=list)
    _deliveries: list[tuple[datetime, int, Delivery]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: count(1))
    _waiting: Counter[str] = field(default_factory=Counter)

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
        return found

    def settle(self, delivery: Delivery, status: int | None, now: datetime) -> None:
        """200 is the only success; None is no answer, or one that came too late."""
        taken = status == 200
        self._note(delivery, status, now)
        if not taken:
            again = now + timedelta(seconds=_gap(delivery))
            if again < delivery.until:
                later = replace(delivery, attempt=delivery.attempt + 1)
                heapq.heappush(self._deliveries, (again, delivery.number, later))
                return
        self.counts["delivered" if taken else "dropped"] += 1
        if delivery.address.instance is not None:
            self._waiting[delivery.address.instance] -= delivery.updates

    def waiting(self, instance: str) -> int:
        """How many updates of an On-Premises client its partner has not taken yet."""
        return self._waiting[instance]

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

    def _gathered(self, due: Sequence[Update], now: datetime) -> Iterable[Delivery]:
        """Company only where the switch asks for it; one address a POST."""
        most = MOST_UPDATES if self.switches.webhook_batch_s else 1
        groups: dict[Address, list[list[Update]]] = {}
        for update in due:
            parcels = groups.setdefault(update.address, [[]])
            if len(parcels[-1]) >= most:
                parcels.append([])
            parcels[-1].append(update)
        for address, parcels in groups.items():
            keeps = ONPREM_KEEPS if address.instance is not None else CLOUD_KEEPS[self.switches.webhook_retries]
            for parcel in parcels:
                body = json.dumps(_envelope(parcel), separators=(",", ":")).encode()
                yield Delivery(next(self._numbers), address, body, now + keeps, len(parcel))

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


def _nobodys(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True  # no address at all
    return host.endswith(NOBODYS)


def _envelope(updates: Sequence[Update]) -> dict[str, Any]:
    """Cloud wraps in `object`, `entry` and `changes`; On-Premises has arrays at the top and says no number.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
    """
    if updates[0].address.instance is not None:
        arrays: dict[str, Any] = {}
        for update in updates:
            for name, rows in update.change.items():
                arrays.setdefault(name, []).extend(rows)
        return arrays
    entries: list[dict[str, Any]] = []
    for update in updates:
        time = {} if update.time is None else {"time": update.time}
        if not entries or {key: entries[-1].get(key) for key in ("id", "time")} != {
            "id": update.entry,
            "time": update.time,
        }:
            entries.append({"id": update.entry, **time, "changes": []})
        entries[-1]["changes"].append(update.change)
    return {"object": "whatsapp_business_account", "entry": entries}


def _gap(delivery: Delivery) -> float:
    """Cloud doubles it each time; On-Premises adds the same again (`callback_backoff_delay_ms`)."""
    address = delivery.address
    grown = address.first_gap_s * (
        delivery.attempt if address.instance is not None else 2 ** min(delivery.attempt - 1, 30)
    )
    return min(grown, address.longest_gap_s)


def _rounded_up(at: datetime, seconds: float) -> datetime:
    if not seconds:
        return at
    return datetime.fromtimestamp(-(-at.timestamp() // seconds) * seconds, at.tzinfo)
