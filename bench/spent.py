"""What a process of a benchmark has spent."""

import time
from resource import RUSAGE_SELF, getrusage


class Spent:
    """CPU and time of this process from now on, and the most memory that it ever had."""

    def __init__(self) -> None:
        self._cpu, self._began = time.process_time(), time.perf_counter()

    def cpu(self) -> float:
        """Seconds, user and system."""
        return time.process_time() - self._cpu

    def result(self) -> dict[str, float]:
        """`cpu` and `seconds` in seconds, `memory` in MiB (Linux counts `ru_maxrss` in KiB)."""
        seconds, memory = time.perf_counter() - self._began, getrusage(RUSAGE_SELF).ru_maxrss / 1024
        return {"cpu": self.cpu(), "seconds": seconds, "memory": memory}
