"""How often one sender may do one thing. In memory, bounded, by a clock that is handed in."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MAX_SENDERS = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, and one more every `every_s` seconds."""

    burst: int
    every_s: float


class Limiter:
    """The allowance of each sender for one thing. A sender that was not seen for long is forgotten first."""

    def __init__(self, rate: Rate, seconds: Callable[[], float], *, most: int = MAX_SENDERS) -> None:
        self._rate = rate
        self._seconds = seconds
        self._most = most
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()  # what is left, and when that was so

    def take(self, sender: str) -> float:
        """0 where it is allowed; else the seconds until it is."""
        now = self._seconds()
        left, at = self._kept.pop(sender, (float(self._rate.burst), now))
        left = min(left + max(now - at, 0.0) / self._rate.every_s, float(self._rate.burst))
        wait = 0.0 if left >= 1 else (1 - left) * self._rate.every_s
        self._kept[sender] = (left - 1 if wait == 0 else left, now)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return wait
