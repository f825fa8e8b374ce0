"""Webhooks as they are made: addressed, wrapped, signed. No HTTP in here.

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

# Names that nobody can own (RFC 2606): what goes there is taken, so that a story needs no receiver.
NOBODYS = (".example", ".test", ".invalid")


@dataclass(frozen=True, slots=True)
class Address:
    """`secret` signs for Cloud; On-Premises does not sign, and has an instance. The gaps are On-Premises' alone."""

    url: str
    secret: str | None = None
    instance: str | None = None
    first_gap_s: float = 0.0
    longest_gap_s: float = 0.0

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
    everybody: tuple[Address, ...] = ()  # all apps' addresses, this one too


@dataclass(slots=True)
class Delivery:
    """One POST. `attempt` counts from 1; `until` is when it is given up.

    `echo`: a copy of what another app did not take; it is not repeated itself.
    """

    number: int
    address: Address
    body: bytes
    until: datetime
    updates: int = 1
    attempt: int = 1
    others: tuple[Address, ...] = ()
    echo: bool = False

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


def _nobodys(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return True  # no address at all
    return host.endswith(NOBODYS)


def envelope(updates: Sequence[Update]) -> dict[str, Any]:
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
