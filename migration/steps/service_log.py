"""What one pass over a number saw of whether it is served, and when; kept with the next write about the number.

Graph's readings lag behind writes: after `register` it may still show a number absent, after `deregister` present.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from state.enums import Side
from state.service import Sighting


class Doubt(StrEnum):
    """What Graph may show although a call of ours has changed it."""

    NOTHING = "nothing"
    ABSENCE = "absence from Cloud"
    PRESENCE = "presence on Cloud"


@dataclass(slots=True)
class ServiceLog:
    """`began_at`: the database's time when the boot-time clock showed `began` seconds. Without it time stands still."""

    began_at: datetime | None = None
    boot_time: Callable[[], float] | None = None
    began: float = 0.0
    doubt: Doubt = Doubt.NOTHING
    sightings: list[Sighting] = field(default_factory=list)

    def time(self, now: datetime) -> datetime:
        """The time now; `now` where this log has no clock."""
        if self.boot_time is None or self.began_at is None:
            return now
        return max(self.began_at + timedelta(seconds=self.boot_time() - self.began), now)

    def add(self, side: Side, begun: datetime, ended: datetime, lag: timedelta) -> None:
        """Note a reading. `lag`: how long Graph may show what was before a call."""
        if side is Side.UNKNOWN or (side is Side.CLOUD and self.doubt is Doubt.PRESENCE):
            return
        old = side is Side.NEITHER and self.doubt is Doubt.ABSENCE
        self.sightings.append(Sighting(side, begun, ended, lag if old else timedelta()))
