"""What a second process on the same wave and database gains, on SQLite and on PostgreSQL."""

import os
import time
from collections.abc import Iterator

import psutil

from bench.homes import POSTGRES, SQLITE, imported, result_of, started
from bench.records import world
from bench.sizes import scaled
from bench.table import Row

NUMBERS, AT_ONCE, AT_LEAST = 80, 20, 1.5
SECONDS = 200
OPTIONS = ("--kinds", "healthy", "--switch", "management_limits=off")
LIMIT = """One process keeps one core busy. The sandbox, stop commands, threads that write to the disk and, with
PostgreSQL, its server run beside it: what they leave of the machine is what a second process can gain."""


def run() -> Iterator[Row]:
    for database in (SQLITE, POSTGRES):
        (one, cores), (two, _) = rate(database, 1), rate(database, 2)
        count, have = scaled(NUMBERS), os.cpu_count() or 1
        yield Row(f"{count} numbers, {database}: one process, two", f"{one:.1f} and {two:.1f} numbers a second")
        yield Row(
            f"{database}: cores in use beside and by one process",
            f"{cores:.2f} of {have}, so {have / cores:.2f} times at most",
        )
        gain = two / one
        what = f"{database}: two processes against one"
        yield Row(what, f"{gain:.2f} times", f"{AT_LEAST:g} times or more", gain >= AT_LEAST)


def rate(database: str, processes: int) -> tuple[float, float]:
    """Numbers a second with so many processes, and how many cores the machine used meanwhile.

    Each process has its part of the wave, as parts of a flow have them.
    """
    sandbox = ("--numbers", str(scaled(NUMBERS)), *OPTIONS)
    with imported(*sandbox, at_once=AT_ONCE * processes, database=database) as (environment, manifest):
        began, busy = time.perf_counter(), _busy_s()
        arguments = [("run", str(AT_ONCE), str(part), str(processes)) for part in range(processes)]
        if processes == 1:
            results = [_finished(environment, arguments[0])]
        else:
            with (
                started(environment, "bench.mover", *arguments[0]) as first,
                started(environment, "bench.mover", *arguments[1]) as second,
            ):
                results = [result_of(first), result_of(second)]
        cores = (_busy_s() - busy) / (time.perf_counter() - began)
        moved = sum(number["side"] == "cloud" for number in world(manifest))
    if moved != scaled(NUMBERS):
        raise RuntimeError(f"{moved} of {scaled(NUMBERS)} moved")
    return moved / max(result["seconds"] for result in results), cores


def _busy_s() -> float:
    """Seconds that the cores of the machine have been at work since it was started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))


def _finished(environment: dict[str, str], arguments: tuple[str, ...]) -> dict[str, float]:
    with started(environment, "bench.mover", *arguments) as process:
        return result_of(process)
