"""Businesses' accounts at Meta: WABAs, apps, and the tokens that may act for them. Facts only."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

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
    """Calls by the minute, so that a busy WABA costs no more memory than a quiet one."""

    minutes: dict[datetime, int] = field(default_factory=dict)

    def count(self, at: datetime) -> int:
        """One more; gives how many there were in the hour up to now."""
        minute = at.replace(second=0, microsecond=0)
        if minute not in self.minutes:
            self.minutes = {when: calls for when, calls in self.minutes.items() if at - when < HOUR}
        self.minutes[minute] = self.minutes.get(minute, 0) + 1
        return sum(self.minutes.values())

    def regained_at(self) -> datetime:
        return min(self.minutes, default=datetime.min.replace(tzinfo=UTC)) + HOUR


@dataclass(slots=True, eq=False)
class Waba:
    id: str
    name: str
    business_id: str
    phone_number_ids: list[str] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)


@dataclass(slots=True, eq=False)
class Business:
    """A portfolio: it owns WABAs and apps, and sees nobody else's."""

    id: str
    name: str


@dataclass(slots=True)
class App:
    id: str
    name: str
    secret: str
    business_id: str
    verify_token: str
    callback_url: str | None = None
    fields: frozenset[str] = frozenset()  # webhook fields it asked for; none named: all


@dataclass(slots=True)
class Token:
    """`wabas` None: every account of its business. `expires_at` None: never."""

    value: str
    app_id: str
    scopes: tuple[str, ...] = SCOPES
    expires_at: datetime | None = None
    wabas: frozenset[str] | None = None
    revoked: bool = False
    user_id: str = "122100000000000"
