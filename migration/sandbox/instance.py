"""One On-Premises deployment (Webapp, Coreapps, database) that serves one number. Facts only."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Host = Literal["up", "stopped", "gone"]
Topology = Literal["single", "ha", "multiconnect"]

# The client's callback queue falls by about this many a second when the partner's webhook answers. Ours.
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
    """The queue to the partner's webhook: `size` at `at`; a stuck one never falls."""

    at: datetime
    size: float = 0.0
    stuck: bool = False

    def settle(self, now: datetime) -> int:
        if not self.stuck and now > self.at:
            self.size = max(0.0, self.size - DRAINED_PER_S * (now - self.at).total_seconds())
        self.at = max(now, self.at)
        return -int(-self.size // 1)

    def add(self, now: datetime, count: int = 1) -> None:
        self.settle(now)
        self.size += count


@dataclass(slots=True, eq=False)
class Instance:
    id: str
    e164: str
    users: dict[str, User]
    expires_at: datetime
    callbacks: Callbacks
    host: Host = "up"
    firewalled: bool = False  # nobody gets through to its API, while it serves as before
    coreapp_up: bool = True
    registered: bool = True  # the client holds a registration of its own
    needs_restart: bool = False  # after a restore onto a node that had an app
    moved: bool = False  # its number went to Cloud
    backup_works: bool = True
    stop_works: bool = True
    topology: Topology = "single"
    shards: int = 1
    version: str = "2.53.3"
    api_key: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)  # what differs from the defaults
    profile: dict[str, Any] = field(default_factory=dict)
    about: str = ""
    photo: bytes | None = None
    tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)  # a registration under way: e164, code method
    media: dict[str, int] = field(default_factory=dict)  # id -> bytes
    messages: int = 0
    issued: int = 0

    def expired(self, at: datetime) -> bool:
        return at >= self.expires_at

    def running(self, at: datetime) -> bool:
        """Whether the client runs and could hold a connection, whatever Meta thinks of it."""
        return (
            self.host == "up"
            and self.coreapp_up
            and self.registered
            and not self.needs_restart
            and not self.expired(at)
        )

    def application(self) -> dict[str, Any]:
        return merged(DEFAULT_SETTINGS, self.settings)


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """A PATCH merges: what is absent stays as it was."""
    out = dict(base)
    for name, value in change.items():
        both = isinstance(value, dict) and isinstance(out.get(name), dict)
        out[name] = merged(out[name], value) if both else value
    return out
