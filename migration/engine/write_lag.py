"""How long writes of numbers that cross have to wait: for their turn, for a connection, and for the disk behind others.

The loop may be free while they queue: a worker with 60 numbers across on one SQLite file had a loop that answered
within 10 ms, and each write waited for 300 ms for its turn.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from state.database import goes_first


class WriteLag:
    """Of one process. `boot_time` in seconds. The quickest write so far is what one takes that waits for nobody."""

    def __init__(self, boot_time: Callable[[], float]) -> None:
        self._boot_time = boot_time
        self._quickest = float("inf")
        self._longest = 0.0

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Around one write. One of a number before its gate does not count: it waits for the others on purpose."""
        began = self._boot_time()
        yield
        if goes_first():
            took = self._boot_time() - began
            self._quickest = min(self._quickest, took)
            self._longest = max(self._longest, took - self._quickest)

    def since_asked(self) -> float:
        """The longest wait since it was asked before, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest
