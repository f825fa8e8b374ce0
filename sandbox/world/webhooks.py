"""One webhook: its address, its envelope, its signature. No HTTP here.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (retries, up to 3 MB)
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint (signature,
handshake, up to 1,000 updates in a POST)
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

# Reserved names (RFC 2606): a webhook to one counts as accepted, so that a test needs no receiver.
DISCARDED = (".example", ".test", ".invalid")


@dataclass(frozen=True, slots=True)
class Address:
    """`secret` signs webhooks of Cloud. Those of On-Premises have an `instance` instead, and gaps of their own."""

    url: str
    secret: str | None = None
    instance: str | None = None
    first_gap_s: float = 0.0
    longest_gap_s: float = 0.0

    @property
    def is_discarded(self) -> bool:
        return _is_discarded(self.url)


@dataclass(frozen=True, slots=True)
class Update:
    """One event. Cloud: a change of one WABA (`entry`). On-Premises: top-level arrays.

    `key`: the seed of its delays, so that they do not depend on other numbers.
    """

    address: Address
    entry: str
    change: Mapping[str, Any]
    key: str
    time: int | None = None
    all_addresses: tuple[Address, ...] = ()  # of all subscribed apps, this one included


@dataclass(slots=True)
class Delivery:
    """One POST. `attempt` counts from 1; after `until` it is dropped. `others`: addresses that get a copy of a retry.

    `is_copy`: a copy of what another app did not accept. It is not repeated itself.
    """

    number: int
    address: Address
    body: bytes
    until: datetime
    updates: int = 1
    attempt: int = 1
    others: tuple[Address, ...] = ()
    is_copy: bool = False

    @property
    def url(self) -> str:
        return self.address.url

    @property
    def headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json"}
        if self.address.secret is not None:
            digest = hmac.new(self.address.secret.encode(), self.body, hashlib.sha256).hexdigest()
            headers |= {"x-hub-signature-256": f"sha256={digest}", "user-agent": "facebookexternalua"}
        return headers


@dataclass(frozen=True, slots=True)
class Handshake:
    """The GET request with which Meta verifies a new webhook address."""

    url: str
    verify_token: str
    challenge: str

    @property
    def full_url(self) -> str:
        query = {"hub.mode": "subscribe", "hub.challenge": self.challenge, "hub.verify_token": self.verify_token}
        return f"{self.url}{'&' if '?' in self.url else '?'}{urlencode(query)}"

    @property
    def is_discarded(self) -> bool:
        return _is_discarded(self.url)

    def passed(self, status: int, body: str) -> bool:
        return status == 200 and body.strip() == self.challenge


def _is_discarded(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True  # not a URL
    return host.endswith(DISCARDED)


def envelope(updates: Sequence[Update]) -> dict[str, Any]:
    """The body of a POST. Cloud: `object`, `entry`, `changes`. On-Premises: top-level arrays, without the number.

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
