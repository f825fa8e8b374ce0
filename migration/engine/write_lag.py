"""How long writes of numbers that cross have to wait: for their turn, for a connection, and for the disk behind others.

The loop may be free while they queue: a worker with 60 numbers across on one SQLite file had a loop that answered
within 10 ms, and each write waited for 300 ms for its turn.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from state.database import goes_first

# Of so many, the middle one: a disk that is slow now and then makes one of them wait, a queue makes all of them.
LAST_WRITES = 5


class WriteLag:
    """Of one process. `boot_time` in seconds. The quickest write so far is what one takes that waits for nobody."""

    def __init__(self, boot_time: Callable[[], float]) -> None:
        self._boot_time = boot_time
        self._quickest = float("inf")
        self._waits: deque[float] = deque(maxlen=LAST_WRITES)

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Around one write. One of a number before its gate does not count: it waits for the others on purpose."""
        began = self._boot_time()
        yield
        if goes_first():
            took = self._boot_time() - began
            self._quickest = min(self._quickest, took)
            self._waits.append(took - self._quickest)

    def standing(self) -> float:
        """The middle wait of the last writes, in seconds; 0.0 before there are enough of them since it told one."""
        if len(self._waits) < LAST_WRITES:
            return 0.0
        middle = sorted(self._waits)[LAST_WRITES // 2]
        self._waits.clear()
        return middle
