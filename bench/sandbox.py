"""The sandbox as a server: how soon it is ready, how many requests it answers per second on one core, its memory.

The server is a process of its own on one core, the load comes over loopback from another. Half of the numbers are
on Cloud, half on On-Premises. Mixed load, each number in turn: reads of numbers and of accounts, PIN changes,
messages, and logins at On-Premises clients.
"""

import asyncio
import base64
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from bench.served import raw_request, send_all, served
from bench.table import Row

KINDS = "on_cloud,healthy"
REQUESTS, STARTS = 6_000, 3
FEW, MANY, MOST = 500, 2_000, 10_000
SMALL, LARGE = 1_000, 4_000
SECONDS_TO_READY, PER_SECOND, MEBIBYTES = 2.0, 500, 200
# How much more a request may cost in a fleet 20 times as large.
GROWTH = 2.0
SECONDS = 50


def fleet(numbers: int) -> tuple[str, ...]:
    return ("--numbers", str(numbers), "--kinds", KINDS)


def requests(manifest: Mapping[str, Any], count: int) -> list[bytes]:
    """Prepared before the measurement, so that the load itself costs little."""
    rows = manifest["numbers"]
    return [_request(manifest, rows[at % len(rows)], at) for at in range(count)]


def _request(manifest: Mapping[str, Any], row: Mapping[str, Any], at: int) -> bytes:
    path = f"/v25.0/{row['phone_number_id']}"
    match at % 4:
        case 0:
            fields = "id,status,platform_type,verified_name,health_status"
            return raw_request(manifest, "GET", f"{path}?fields={fields}")
        case 1 if row["instance"] is not None:
            return _login(row)
        case 1:
            return raw_request(manifest, "POST", path, {"pin": f"{at % 1_000_000:06d}"})
        case 2 if row["instance"] is None:
            return raw_request(manifest, "POST", f"{path}/messages", _message(at))
        case _:
            edge = f"/v25.0/{row['waba_id']}/phone_numbers"
            return raw_request(manifest, "GET", f"{edge}?fields=id,status&limit=100")


def _login(row: Mapping[str, Any]) -> bytes:
    """At the sandbox's own port, where every client answers under its path."""
    basic = base64.b64encode(f"{row['username']}:{row['password']}".encode()).decode()
    head = f"POST /onprem/{row['instance']}/v1/users/login HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n".encode()


def _message(at: int) -> dict[str, Any]:
    template = {"name": "smoke_test", "language": {"code": "en"}}
    return {"messaging_product": "whatsapp", "to": f"49151{at:08d}", "type": "template", "template": template}


def seconds_to_ready(numbers: int) -> float:
    """The best of some starts, since others may be using the machine."""
    seconds = []
    for _ in range(STARTS):
        with served(*fleet(numbers)) as (_, _, ready_after):
            seconds.append(ready_after)
    return min(seconds)


def run() -> Iterator[Row]:
    rates: dict[int, float] = {}
    for numbers in (FEW, MANY, MOST):
        ready = seconds_to_ready(numbers)
        with served(*fleet(numbers)) as (process, manifest, _):
            rates[numbers] = asyncio.run(send_all(manifest, requests(manifest, REQUESTS)))
            if numbers != FEW:
                yield Row(f"sandbox: ready with {numbers:,} numbers", f"{ready:.2f} s", *_ready(numbers, ready))
            yield Row(
                f"sandbox: requests a second with {numbers:,} numbers", f"{rates[numbers]:,.0f}", *_rate(rates, numbers)
            )
            if numbers == MOST:
                rates[numbers] = asyncio.run(send_all(manifest, requests(manifest, 5 * REQUESTS)))
                used = process.memory_info().rss / 1024 / 1024
                what = f"sandbox: memory with {numbers:,} numbers after {6 * REQUESTS:,} calls"
                yield Row(what, f"{used:.0f} MiB", f"under {MEBIBYTES} MiB", used < MEBIBYTES)
    yield paging()
    ratio = rates[FEW] / rates[MOST]
    what = f"sandbox: what a request costs with {MOST:,} numbers, against {FEW:,}"
    yield Row(what, f"{ratio:.2f} times", f"under {GROWTH:.0f} times", ratio < GROWTH)


def paging() -> Row:
    """All pages of one large account, read by following `next`: the cost of a page must not grow with the account."""
    costs = {count: _seconds_per_page(count) for count in (SMALL, LARGE)}
    ratio = costs[LARGE] / costs[SMALL]
    what = f"sandbox: a page of {LARGE:,} numbers in one account, against one of {SMALL:,}"
    return Row(what, f"{ratio:.2f} times ({1000 * costs[LARGE]:.1f} ms)", f"under {GROWTH:.0f} times", ratio < GROWTH)


def _seconds_per_page(count: int) -> float:
    scenario = f"businesses: [{{name: a, numbers_per_waba: {count}}}]\nnumbers: [{{kind: on_cloud, count: {count}}}]"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one-account.yaml"
        path.write_text(scenario)
        with served("--scenario", str(path)) as (_, manifest, _):
            return _read_pages(manifest)


def _read_pages(manifest: Mapping[str, Any]) -> float:
    bearer = {"Authorization": f"Bearer {manifest['token']}"}
    url = f"{manifest['graph_url']}/{manifest['wabas'][0]['waba_id']}/phone_numbers?fields=id,status&limit=100"
    began, pages = time.perf_counter(), 0
    with httpx.Client(headers=bearer, trust_env=False) as client:
        while url:
            url, pages = client.get(url).json()["paging"].get("next", ""), pages + 1
    return (time.perf_counter() - began) / pages


def _ready(numbers: int, seconds: float) -> tuple[str, bool]:
    return ("", True) if numbers != MANY else (f"under {SECONDS_TO_READY:.0f} s", seconds < SECONDS_TO_READY)


def _rate(rates: Mapping[int, float], numbers: int) -> tuple[str, bool]:
    return ("", True) if numbers != MANY else (f"{PER_SECOND} or more", rates[numbers] >= PER_SECOND)
