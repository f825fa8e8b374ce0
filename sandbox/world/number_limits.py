"""Limits of one number: register and deregister calls, message pace, wrong PINs.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.switches import Switches

# "10 requests in a 72 hour moving window"; then the number is blocked for the next 72 hours.
CALLS, WINDOW = 10, timedelta(hours=72)


@dataclass(slots=True)
class Budget:
    """Calls of one kind for one number in the last 72 hours."""

    calls: list[datetime] = field(default_factory=list)
    blocked_until: datetime | None = None

    def spend(self, at: datetime) -> bool:
        """Whether this call is within the limit. The first call above it blocks the number for 72 hours."""
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


# "1 message every 6 seconds" to one consumer, and a burst of up to 45, which counts against the time after it.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (pair rate)
PAIR_GAP, PAIR_BURST = timedelta(seconds=6), 45
# With more pairs than this, those without a burst are forgotten.
PAIRS_KEPT = 1_000


@dataclass(slots=True)
class Pace:
    """How fast one number sends: to each consumer, and in total within one second."""

    free_at: dict[str, datetime] = field(default_factory=dict)  # consumer -> when its whole burst is available again
    second: datetime | None = None
    in_second: int = 0

    def within_pair_rate(self, consumer: str, at: datetime) -> bool:
        """Whether one more message to this consumer is within the pair rate; if so, it is counted."""
        free = max(self.free_at.get(consumer, at), at)
        if free - at > PAIR_GAP * (PAIR_BURST - 1):
            return False
        if len(self.free_at) > PAIRS_KEPT:
            self.free_at = {consumer: until for consumer, until in self.free_at.items() if until > at}
        self.free_at[consumer] = free + PAIR_GAP
        return True

    def within_throughput(self, most: int, at: datetime) -> bool:
        """Counts one message; whether it is within `most` messages in this second."""
        second = at.replace(microsecond=0)
        if self.second != second:
            self.second, self.in_second = second, 0
        self.in_second += 1
        return self.in_second <= most


# The page says that the wait is "in the details" and not in which form, so the form varies.
WAIT_TEXTS = (
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
        """The error code of the lock, if the number is locked."""
        if self.locked_until is not None and at < self.locked_until:
            return self.locked_code
        return None

    def count_wrong(self, at: datetime, switches: Switches) -> None:
        """Counts a wrong PIN, which may lock the number."""
        quick = timedelta(seconds=switches.pin_too_fast_s)
        too_fast = bool(self.wrong) and at - self.wrong[-1] < quick
        self.wrong.append(at)
        if switches.pin_guesses and len(self.wrong) % switches.pin_guesses == 0:
            self.locked_until, self.locked_code = at + timedelta(seconds=switches.pin_lock_s), 133008
        elif too_fast:
            self.locked_until, self.locked_code = at + quick, 133009

    def wait_text(self, at: datetime) -> str:
        wait = (self.locked_until - at) if self.locked_until is not None else timedelta()
        seconds = max(1, round(wait.total_seconds()))
        left = {"seconds": seconds, "minutes": -(-seconds // 60), "hours": -(-seconds // 3600)}
        return WAIT_TEXTS[len(self.wrong) % len(WAIT_TEXTS)].format(**left)

    def reset(self) -> None:
        self.wrong.clear()
        self.locked_until = None
