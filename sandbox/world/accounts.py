"""Businesses at Meta: their WABAs, their apps, and the tokens that may act for them. Facts only."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Subscription:
    app_id: str
    override: str | None = None


@dataclass(slots=True)
class Template:
    id: str
    name: str
    language: str
    category: str = "UTILITY"
    status: str = "APPROVED"


@dataclass(slots=True)
class Meter:
    """Counts calls by the minute, so that a busy WABA needs no more memory than a quiet one."""

    minutes: dict[datetime, int] = field(default_factory=dict)
    blocked_until: datetime | None = None
    most: int = 0

    def spend(self, at: datetime, most: int, longer: timedelta) -> bool:
        """Whether one more call stays within `most` per hour; if so, it is counted.

        The first call above the limit blocks until enough calls are an hour old. Each further one adds `longer`.
        """
        if most != self.most:
            self.most, self.blocked_until = most, None
        if self.blocked_until is not None and at < self.blocked_until:
            self.blocked_until += longer
            return False
        self.blocked_until = None
        calls = self.calls(at)
        if calls >= most:
            self.blocked_until = self._free_at(calls - most + 1)
            return False
        self.add(at)
        return True

    def add(self, at: datetime) -> None:
        minute = at.replace(second=0, microsecond=0)
        self.minutes[minute] = self.minutes.get(minute, 0) + 1

    def calls(self, at: datetime) -> int:
        """How many were counted in the hour before `at`."""
        first = next(iter(self.minutes), None)
        if first is not None and at - first >= HOUR:
            self.minutes = {when: calls for when, calls in self.minutes.items() if at - when < HOUR}
        return sum(self.minutes.values())

    def _free_at(self, calls: int) -> datetime:
        """When the oldest `calls` calls are an hour old."""
        for when, count in self.minutes.items():
            calls -= count
            if calls <= 0:
                return when + HOUR
        return max(self.minutes, default=datetime.min.replace(tzinfo=UTC)) + HOUR


@dataclass(slots=True, eq=False)
class Waba:
    id: str
    name: str
    business_id: str
    phone_number_ids: list[str] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)
    meters: dict[str, Meter] = field(default_factory=dict)  # by app id
    on_cloud: set[str] = field(default_factory=set)  # ids of its registered numbers; one of them makes the WABA active
    health_problem: int | None = None  # of the account, and so of all its numbers

    def meter(self, app_id: str) -> Meter:
        return self.meters.setdefault(app_id, Meter())

    orders: dict[str, Any] = field(default_factory=dict)  # of its numbers, by sort order; made when first read


@dataclass(slots=True, eq=False)
class Business:
    """A portfolio. It owns WABAs and apps, and has no access to those of other businesses."""

    id: str
    name: str
    terms_accepted: bool = True
    health_problem: int | None = None


@dataclass(slots=True)
class App:
    id: str
    name: str
    secret: str
    business_id: str
    verify_token: str
    callback_url: str | None = None
    fields: frozenset[str] = frozenset()  # webhook fields that it is subscribed to; empty: all
    meter: Meter = field(default_factory=Meter)
    requires_proof: bool = False
    other: dict[str, dict[str, Any]] = field(default_factory=dict)  # subscriptions to other kinds of objects


@dataclass(slots=True)
class Token:
    """`wabas` None: all accounts of its business. `expires_at` None: never."""

    value: str
    app_id: str
    scopes: tuple[str, ...] = SCOPES
    expires_at: datetime | None = None
    wabas: frozenset[str] | None = None
    revoked: bool = False
    user_id: str = "122100000000000"
