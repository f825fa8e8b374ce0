"""The sandbox's record of calls: what reading all of it, page by page, costs as it grows.

What does not fit into memory is in a file; here nearly all of it is. In-process; no server.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from bench.table import Row
from sandbox.calls import Call, CallLog

FEW, MANY, PAGE, IN_MEMORY, TURNS = 10_000, 40_000, 500, 1_000, 3
# What a call may cost more to read in a record four times as long.
GROWTH = 2.0


def filled(count: int) -> CallLog:
    log, at = CallLog(in_memory=IN_MEMORY), datetime(2026, 11, 23, tzinfo=UTC)
    for seq in range(1, count + 1):
        log.append(Call(seq, at, "graph", "GET", "/v25.0/1", "1", None, "get.number", False, 200, None, False, True))
    return log


def paged(log: CallLog) -> float:
    """Seconds for all of it."""
    return min(_once(log) for _ in range(TURNS))  # others may be using the machine


def _once(log: CallLog) -> float:
    began, seen = time.perf_counter(), 0
    while page := log.since(seen, PAGE):
        seen = page[-1].seq
    if seen != len(log):
        raise RuntimeError(f"{seen} of {len(log)} calls")
    return time.perf_counter() - began


def run() -> Iterator[Row]:
    costs: dict[int, float] = {}
    for count in (FEW, MANY):
        log = filled(count)
        seconds = paged(log)
        log.clear()
        costs[count] = seconds / count
        yield Row(f"sandbox: {count:,} recorded calls read in pages of {PAGE}", f"{seconds:.2f} s")
    ratio = costs[MANY] / costs[FEW]
    what = f"sandbox: what a call costs to read of {MANY:,}, against {FEW:,}"
    yield Row(what, f"{ratio:.2f} times", f"under {GROWTH:.0f} times", ratio < GROWTH)
