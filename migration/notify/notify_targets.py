"""Whom to tell, by the admin file: an address of Apprise, the kinds of causes, quiet hours, reminders."""

import hashlib
from collections.abc import Collection, Iterable
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
    UNPROVED = "unproved"  # a moved number's message failed, or nothing came in for it in time
    ACCOUNT = "account"  # Meta reports something against a number or an account
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


def told_now(targets: Iterable["Target"], on_duty: Collection[str]) -> list["Target"]:
    """Those without an operator, and those whose operator is on duty.

    Where the roster has none of them on duty now, all are told: a hole in a roster must not keep darkness from people.
    """
    targets = list(targets)
    is_hole = not any(target.operator in on_duty for target in targets if target.operator is not None)
    return [target for target in targets if target.operator is None or is_hole or target.operator in on_duty]


@dataclass(frozen=True, slots=True)
class Target:
    """`after`: an escalation; it is told only of what has lasted so long and nobody has taken over.

    `operator`: of the roster; it is told while that person is on duty. `place`: among the entries of one address,
    from 0; each has kinds and times of its own.
    """

    url: SecretStr
    kinds: frozenset[CauseKind]
    after: timedelta = timedelta()
    repeat: timedelta | None = None
    quiet: QuietHours | None = None
    operator: str | None = None
    place: int = 0

    @property
    def name(self) -> str:
        """Says which target it is, also after a restart, and nothing of its address."""
        whose = f"\0{self.operator}" if self.operator is not None else ""
        which = f"\0\0{self.place}" if self.place else ""
        return hashlib.sha256(f"{self.url.get_secret_value()}{whose}{which}".encode()).hexdigest()[:12]

    @property
    def shown(self) -> str:
        """The service and nothing else: an address of Apprise is full of secrets."""
        scheme, found, _ = self.url.get_secret_value().partition("://")
        return f"{scheme}://…" if found and scheme.replace("+", "").isalnum() else "an address without a scheme"
