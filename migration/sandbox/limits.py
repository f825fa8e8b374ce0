"""Register and deregister budgets, and what wrong PINs lead to.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from migration.sandbox.switches import Switches

# "10 requests in a 72 hour moving window"; then the number is blocked for the next 72 hours.
CALLS, WINDOW = 10, timedelta(hours=72)


@dataclass(slots=True)
class Budget:
    """Calls of one kind for one number."""

    calls: list[datetime] = field(default_factory=list)
    blocked_until: datetime | None = None

    def spend(self, at: datetime) -> bool:
        """Whether this call is within the limit. One too many blocks the number for 72 hours."""
        if self.blocked_until is not None and at < self.blocked_until:
            return False
        self.blocked_until = None
        self.calls = [when for when in self.calls if at - when < WINDOW]
        if len(self.calls) >= CALLS:
            self.blocked_until = at + WINDOW
            return False
        self.calls.append(at)
        return True

    def give_back(self) -> None:
        """A refused call that does not count (switch `failed_registers_count`)."""
        if self.calls:
            self.calls.pop()


# The documented hint that the wait is "in the details" says nothing of its form, so the form varies.
WAITS = (
    "Too many attempts. Try again after {hours} hours.",
    "You have guessed the PIN too many times, please wait {seconds} seconds",
    "Wait {minutes} minutes before entering the two-step PIN again.",
)


@dataclass(slots=True)
class PinGuesses:
    """Wrong PINs on `register`."""

    wrong: list[datetime] = field(default_factory=list)
    locked_until: datetime | None = None
    locked_code: int = 133008

    def locked(self, at: datetime) -> int | None:
        """The code of the lock that is on, if one is."""
        if self.locked_until is not None and at < self.locked_until:
            return self.locked_code
        return None

    def guess(self, at: datetime, switches: Switches) -> None:
        """Note a wrong PIN; it may lock the next call out."""
        quick = timedelta(seconds=switches.pin_too_fast_s)
        too_fast = bool(self.wrong) and at - self.wrong[-1] < quick
        self.wrong.append(at)
        if switches.pin_guesses and len(self.wrong) % switches.pin_guesses == 0:
            self.locked_until, self.locked_code = at + timedelta(seconds=switches.pin_lock_s), 133008
        elif too_fast:
            self.locked_until, self.locked_code = at + quick, 133009

    def wait_text(self, at: datetime) -> str:
        left = (self.locked_until - at) if self.locked_until is not None else timedelta()
        seconds = max(1, round(left.total_seconds()))
        told = {"seconds": seconds, "minutes": -(-seconds // 60), "hours": -(-seconds // 3600)}
        return WAITS[len(self.wrong) % len(WAITS)].format(**told)

    def forget(self) -> None:
        self.wrong.clear()
        self.locked_until = None
