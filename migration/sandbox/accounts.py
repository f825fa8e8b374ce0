"""Businesses' accounts at Meta: WABAs, apps, and the tokens that may act for them. Facts only."""

from dataclasses import dataclass, field
from datetime import datetime

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")


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


@dataclass(slots=True, eq=False)
class Waba:
    id: str
    name: str
    business_id: str
    phone_number_ids: list[str] = field(default_factory=list)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    templates: list[Template] = field(default_factory=list)


@dataclass(slots=True)
class App:
    id: str
    name: str
    secret: str
    business_id: str
    verify_token: str
    callback_url: str | None = None


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
