"""Whom to tell, by the admin file: an address of Apprise, the kinds of causes, quiet hours, reminders."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from pydantic import SecretStr


class CauseKind(StrEnum):
    """What a person may have to know."""

    DARK = "dark"  # on neither side by our own doing
    HALTED = "halted"  # a wave or a credential profile
    HELD = "held"  # numbers that wait at the gate for a person
    CODE = "code"  # a customer has to read a code out
    CODE_EXPIRING = "code_expiring"
    BLOCKED = "blocked"
    WINDOW_ENDING = "window_ending"
    SIGNUP_ENDING = "signup_ending"
    WORKER_GONE = "worker_gone"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `start` to `end` by the clock of `zone`; over midnight where `end` is the earlier one."""

    start: time
    end: time
    zone: ZoneInfo

    def include(self, now: datetime) -> bool:
        local = now.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


@dataclass(frozen=True, slots=True)
class Target:
    """`after`: an escalation; it is told only of what has lasted so long and nobody has taken over."""

    url: SecretStr
    kinds: frozenset[CauseKind]
    after: timedelta = timedelta()
    repeat: timedelta | None = None
    quiet: QuietHours | None = None

    @property
    def name(self) -> str:
        """Says which target it is, also after a restart, and nothing of its address."""
        return hashlib.sha256(self.url.get_secret_value().encode()).hexdigest()[:12]

    @property
    def shown(self) -> str:
        """The service and nothing else: an address of Apprise is full of secrets."""
        scheme, found, _ = self.url.get_secret_value().partition("://")
        return f"{scheme}://…" if found and scheme.replace("+", "").isalnum() else "an address without a scheme"
