"""The sandbox's record of calls: what reading all of it page by page costs as it grows.

Calls that do not fit into memory are in a file: none of the short record, most of the long one. The pages are read over
HTTP, as a test of another program reads them.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from bench.served import raw_request, send_all, served
from bench.table import Row

FEW, MANY, PAGE, TURNS = 10_000, 40_000, 500, 3
SECONDS = 50
# How much more one call of the long record may cost to read than one of the short record.
GROWTH = 2.0


def record_calls(manifest: Mapping[str, Any], count: int) -> None:
    """Makes `count` reads of the first number."""
    read = raw_request(manifest, "GET", f"/v25.0/{manifest['numbers'][0]['phone_number_id']}?fields=id")
    asyncio.run(send_all(manifest, [read] * count))


def seconds_to_read(manifest: Mapping[str, Any], count: int) -> float:
    """The best of some turns, since others may be using the machine. Raises where a call is missing."""
    with httpx.Client(base_url=manifest["sandbox_url"], trust_env=False) as client:
        return min(_read_all(client, count) for _ in range(TURNS))


def _read_all(client: httpx.Client, count: int) -> float:
    began, last = time.perf_counter(), 0
    while page := client.get("/_sandbox/calls", params={"since": last, "limit": PAGE}).json()["calls"]:
        last = page[-1]["seq"]
    if last != count:
        raise RuntimeError(f"{last} of {count} calls")
    return time.perf_counter() - began


def run() -> Iterator[Row]:
    costs: dict[int, float] = {}
    for count in (FEW, MANY):
        with served("--numbers", "1", "--switch", "management_limits=off") as (_, manifest, _):
            record_calls(manifest, count)
            seconds = seconds_to_read(manifest, count)
        costs[count] = seconds / count
        yield Row(f"sandbox: {count:,} recorded calls read in pages of {PAGE}", f"{seconds:.2f} s")
    ratio = costs[MANY] / costs[FEW]
    what = f"sandbox: what a call costs to read of {MANY:,}, against {FEW:,}"
    yield Row(what, f"{ratio:.2f} times", f"under {GROWTH:.0f} times", ratio < GROWTH)
