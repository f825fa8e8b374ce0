"""One On-Premises deployment (Webapp, Coreapps, database) that serves one number. Facts only."""

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Host = Literal["up", "stopped", "gone"]
Topology = Literal["single", "ha", "multiconnect"]

# Callbacks per second that leave the queue while the partner's webhook answers. Ours.
DRAINED_PER_S = 5.0
# "Token lifetime 7 days": https://developers.facebook.com/docs/whatsapp/on-premises/reference/health
TOKEN_LIFE = timedelta(days=7)

DEFAULT_SETTINGS: dict[str, Any] = {
    "callback_backoff_delay_ms": 3000,
    "callback_persist": True,
    "heartbeat_interval": 5,
    "max_callback_backoff_delay_ms": 900000,
    "media": {"auto_download": ["image", "document", "audio"]},
    "sent_status": False,
    "show_security_notifications": False,
    "unhealthy_interval": 30,
    "webhooks": {"max_concurrent_requests": 6, "message": {"sent": False, "delivered": True, "read": True}},
}


@dataclass(slots=True)
class User:
    password: str
    admin: bool
    must_change: bool = False


@dataclass(slots=True)
class Callbacks:
    """The queue to the partner's webhook: its `size` at `at`. A stuck queue never gets shorter."""

    at: datetime
    size: float = 0.0
    stuck: bool = False

    def settle(self, now: datetime) -> int:
        """Brings `size` up to now; returns it as a whole number."""
        if not self.stuck and now > self.at:
            self.size = max(0.0, self.size - DRAINED_PER_S * (now - self.at).total_seconds())
        self.at = max(now, self.at)
        return -int(-self.size // 1)

    def add(self, now: datetime, count: int = 1) -> None:
        self.settle(now)
        self.size += count


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An accepted message: it is sent at `due`, or as soon after that as the client serves."""

    due: datetime
    send: Callable[[datetime], None]


# These settings take effect at the next start: https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/app
AFTER_RESTART = ("callback_persist", "pass_through", "db_garbagecollector_enable")
CONCURRENT = "max_concurrent_requests"  # of `webhooks`; takes effect at the next start too


@dataclass(slots=True, eq=False)
class Instance:
    id: str
    e164: str
    users: dict[str, User]
    expires_at: datetime
    callbacks: Callbacks
    host: Host = "up"
    firewalled: bool = False  # its API cannot be reached, but it serves its number
    coreapp_up: bool = True
    registered: bool = True  # the client holds a registration of its own
    registered_at: datetime | None = None
    needs_restart: bool = False  # after a restore onto a node that was registered
    upgrading: bool = False  # its database is being upgraded
    offline: bool = False  # it cannot reach WhatsApp; its API can be reached
    starts_until: datetime | None = None
    connects_until: datetime | None = None
    certificate_expired: bool = False
    moved: bool = False  # its number went to Cloud
    backup_works: bool = True
    stop_works: bool = True
    topology: Topology = "single"
    shards: int = 1
    version: str = "2.53.3"
    api_key: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)  # what differs from the defaults
    settings_at_start: dict[str, Any] = field(default_factory=dict)  # `settings` when it was last started
    profile: dict[str, Any] = field(default_factory=dict)
    about: str = ""
    photo: bytes | None = None
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)  # a registration in progress: e164
    media: dict[str, int] = field(default_factory=dict)  # id -> bytes
    contacts: dict[str, str] = field(default_factory=dict)  # wa_id -> status
    certificates: dict[str, bytes] = field(default_factory=dict)  # external, webhooks
    providers: dict[str, Any] = field(default_factory=dict)  # media providers by name
    outgoing: deque[Outgoing] | None = None  # made for the first message: ten thousand empty deques are megabytes
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)  # (call, ok or error)
    posted: Counter[tuple[str, str]] = field(default_factory=Counter)  # webhooks: (type, ok or error)
    up_since: datetime | None = None  # None: it started before the fleet began
    queues: int = 0  # number of callback queues that it lost
    messages: int = 0
    issued: int = 0

    def expired(self, at: datetime) -> bool:
        return at >= self.expires_at

    def running(self, at: datetime) -> bool:
        """Whether the client runs and could hold a connection, if Meta accepts it."""
        return (
            self.host == "up"
            and self.coreapp_up
            and self.registered
            and not self.needs_restart
            and not self.offline
            and not self.starting(at)
            and not self.expired(at)
            and (self.connects_until is None or at >= self.connects_until)
        )

    def starting(self, at: datetime) -> bool:
        return self.upgrading or (self.starts_until is not None and at < self.starts_until)

    def older_than(self, version: str) -> bool:
        return _parts(self.version) < _parts(version)

    @property
    def queue(self) -> str:
        """The name of its callback queue. A lost queue keeps its old name, so that nothing of it is sent any more."""
        return f"{self.id}#{self.queues}" if self.queues else self.id

    def lose_queue(self, at: datetime) -> None:
        self.queues += 1
        self.callbacks = Callbacks(at, stuck=self.callbacks.stuck)

    def application_settings(self) -> dict[str, Any]:
        """The settings as a read shows them."""
        return merged(DEFAULT_SETTINGS, self.settings)

    def effective_settings(self) -> dict[str, Any]:
        """The settings that are in effect: some of them take effect at the next start only."""
        now, then = self.application_settings(), merged(DEFAULT_SETTINGS, self.settings_at_start)
        now |= {name: then[name] for name in AFTER_RESTART if name in then}
        return now | {"webhooks": now["webhooks"] | {CONCURRENT: then["webhooks"][CONCURRENT]}}


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """`base` with the changes of a PATCH: names that it does not have stay as they were."""
    result = dict(base)
    for name, value in change.items():
        both = isinstance(value, dict) and isinstance(result.get(name), dict)
        result[name] = merged(result[name], value) if both else value
    return result
