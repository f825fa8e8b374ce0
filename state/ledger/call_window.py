"""How many calls of one app on one WABA are left in a moving hour. Arithmetic only.

Management calls of an app on a WABA: 5,000 an hour where it has a registered number, else 200.
https://developers.facebook.com/documentation/business-messaging/whatsapp/about-the-platform (rate limits)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from state.enums import Status

ACTIVE, INACTIVE = 5_000, 200
# An hour, and the time by which a call may be made later than it was counted, or be counted by Meta to its minute.
WINDOW = timedelta(minutes=62)
# Kept for the readings of numbers that have crossed; only they may take these calls.
RESERVE = 40
# A number whose senders are paused or that may be dark: only it may take the reserve.
CROSSES = (Status.READY, Status.RUNNING, Status.WAITING)


@dataclass(frozen=True, slots=True)
class CallWindow:
    """`minutes`: our calls by the minute (ISO text). `foreign`: what others had used at `foreign_at`."""

    now: datetime
    active: bool
    minutes: Mapping[str, int]
    foreign: int = 0
    foreign_at: datetime | None = None

    @property
    def limit(self) -> int:
        return ACTIVE if self.active else INACTIVE

    @property
    def recent(self) -> dict[str, int]:
        """Our calls that count still."""
        oldest = self.now - WINDOW
        return {at: calls for at, calls in sorted(self.minutes.items()) if calls > 0 and _time(at) > oldest}

    @property
    def used(self) -> int:
        return sum(self.recent.values()) + self._foreign_now

    @property
    def left(self) -> int:
        return max(self.limit - self.used, 0)

    def after(self, calls: int) -> dict[str, int]:
        """The minutes with `calls` more; fewer where calls are given back, newest first."""
        minutes = self.recent
        if calls >= 0:
            minute = self.now.replace(second=0, microsecond=0).isoformat()
            return {**minutes, minute: minutes.get(minute, 0) + calls}
        for at in sorted(minutes, reverse=True):
            back = min(minutes[at], -calls)
            minutes[at] -= back
            calls += back
        return minutes

    def free_at(self, calls: int) -> datetime:
        """When `calls` calls are left, if nobody makes one before; now where they are."""
        missing = min(calls, self.limit) - self.left
        if missing <= 0:
            return self.now
        for at, count in self.recent.items():
            missing -= count
            if missing <= 0:
                return _time(at) + WINDOW
        # The rest is what others have used, of which as much is forgotten in each minute of an hour.
        return self.now + timedelta(minutes=min(60.0, 1 + 60 * missing / max(self.foreign, 1)))

    @property
    def _foreign_now(self) -> int:
        """What others have used runs out over an hour; the next answer's header tells it anew."""
        if self.foreign_at is None:
            return 0
        share = 1 - (self.now - self.foreign_at).total_seconds() / 3600
        return round(self.foreign * min(max(share, 0.0), 1.0))


def _time(minute: str) -> datetime:
    return datetime.fromisoformat(minute)
