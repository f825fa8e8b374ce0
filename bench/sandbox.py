"""The sandbox as a server: how soon it is ready, what it answers a second on one core, what memory it takes.

The server is a process of its own on one core, the load comes over loopback from another. Half of the numbers are
on Cloud, half on On-Premises. Mixed load, each number in turn: reads of numbers and of accounts, PIN changes,
messages, and logins at On-Premises clients.
"""

import asyncio
import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psutil

from bench.table import Row
from sandbox.app import Sandbox
from sandbox.scenarios.scenario_file import read
from sandbox.wire import Request

KINDS = "on_cloud,healthy"
CONNECTIONS = 8
REQUESTS, STARTS = 6_000, 3
FEW, MANY, MOST = 500, 2_000, 10_000
SMALL, LARGE = 1_000, 4_000
SECONDS_TO_READY, PER_SECOND, MEBIBYTES = 2.0, 500, 200
# What a request may cost more in a fleet 20 times as large, before something grows with the fleet.
GROWTH = 2.0


@contextmanager
def served(numbers: int) -> Iterator[tuple[psutil.Process, dict[str, Any], float]]:
    """The server's process, its manifest, and the seconds until it was ready."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "sandbox", "--numbers", str(numbers), "--kinds", KINDS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    _on_one_core(psutil.Process(process.pid))
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield psutil.Process(process.pid), told, time.perf_counter() - began
    finally:
        process.terminate()
        process.communicate()


def _on_one_core(process: psutil.Process) -> None:
    if hasattr(process, "cpu_affinity"):  # not on every system
        process.cpu_affinity([max(process.cpu_affinity())])


def requests(told: dict[str, Any], count: int) -> list[bytes]:
    """Prepared, so that the load costs little: the core that is measured is the server's."""
    made = []
    for at in range(count):
        row = told["numbers"][at % len(told["numbers"])]
        if row["instance"] is not None and at % 4 == 1:
            made.append(_login(row))
            continue
        path = f"/v25.0/{row['phone_number_id']}"
        match at % 4:
            case 0:
                made.append(_raw(told, "GET", f"{path}?fields=id,status,platform_type,verified_name,health_status"))
            case 1:
                made.append(_raw(told, "POST", path, {"pin": f"{at % 1_000_000:06d}"}))
            case 2 if row["instance"] is None:
                made.append(_raw(told, "POST", f"{path}/messages", _message(at)))
            case _:
                made.append(_raw(told, "GET", f"/v25.0/{row['waba_id']}/phone_numbers?fields=id,status&limit=100"))
    return made


def _login(row: dict[str, Any]) -> bytes:
    """At the sandbox's own port, where every client answers under its path."""
    basic = base64.b64encode(f"{row['username']}:{row['password']}".encode()).decode()
    head = f"POST /onprem/{row['instance']}/v1/users/login HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n".encode()


def _message(at: int) -> dict[str, Any]:
    template = {"name": "smoke_test", "language": {"code": "en"}}
    return {"messaging_product": "whatsapp", "to": f"49151{at:08d}", "type": "template", "template": template}


def _raw(told: dict[str, Any], method: str, target: str, body: Any = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {told['token']}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


async def load(told: dict[str, Any], prepared: list[bytes]) -> float:
    """Sends them all, some connections at once; requests a second. Raises where one is refused."""
    url = urlsplit(told["graph_url"])
    shares = [prepared[at::CONNECTIONS] for at in range(CONNECTIONS)]
    began = time.perf_counter()
    await asyncio.gather(*(_one(str(url.hostname), int(url.port or 80), share) for share in shares))
    return len(prepared) / (time.perf_counter() - began)


async def _one(host: str, port: int, share: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for raw in share:
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(body.decode())
    writer.close()
    await writer.wait_closed()


def soonest(numbers: int) -> float:
    """Seconds until it is ready: the best of some starts, since others may be using the machine."""
    found = []
    for _ in range(STARTS):
        with served(numbers) as (_, _, seconds):
            found.append(seconds)
    return min(found)


def run() -> Iterator[Row]:
    rates: dict[int, float] = {}
    for numbers in (FEW, MANY, MOST):
        ready = soonest(numbers)
        with served(numbers) as (process, told, _):
            rates[numbers] = asyncio.run(load(told, requests(told, REQUESTS)))
            if numbers != FEW:
                yield Row(f"sandbox: ready with {numbers:,} numbers", f"{ready:.2f} s", *_ready(numbers, ready))
            yield Row(
                f"sandbox: requests a second with {numbers:,} numbers", f"{rates[numbers]:,.0f}", *_rate(rates, numbers)
            )
            if numbers == MOST:
                rates[numbers] = asyncio.run(load(told, requests(told, 5 * REQUESTS)))
                used = process.memory_info().rss / 1024 / 1024
                what = f"sandbox: memory with {numbers:,} numbers after {6 * REQUESTS:,} calls"
                yield Row(what, f"{used:.0f} MiB", f"under {MEBIBYTES} MiB", used < MEBIBYTES)
    yield paging()
    ratio = rates[FEW] / rates[MOST]
    what = f"sandbox: what a request costs with {MOST:,} numbers, against {FEW:,}"
    yield Row(what, f"{ratio:.2f} times", f"under {GROWTH:.0f} times", ratio < GROWTH)


def paging() -> Row:
    """All pages of one large account, as somebody reads who follows `next`: what a page costs must not grow."""
    costs = {}
    for count in (SMALL, LARGE):
        account = f"businesses: [{{name: a, numbers_per_waba: {count}}}]\nnumbers: [{{kind: on_cloud, count: {count}}}]"
        made = Sandbox.from_scenario(read(account))
        url, pages = f"/{next(iter(made.world.wabas))}/phone_numbers?fields=id,status&limit=100", 0
        bearer = {"authorization": f"Bearer {made.token}"}
        began = time.perf_counter()
        while url:
            answer = made.handle(Request.of("GET", url, bearer, b"", ""))
            url, pages = json.loads(answer.body)["paging"].get("next", ""), pages + 1
        costs[count] = (time.perf_counter() - began) / pages
    ratio = costs[LARGE] / costs[SMALL]
    what = f"sandbox: a page of {LARGE:,} numbers in one account, against one of {SMALL:,}"
    return Row(what, f"{ratio:.2f} times ({1000 * costs[LARGE]:.1f} ms)", f"under {GROWTH:.0f} times", ratio < GROWTH)


def _ready(numbers: int, seconds: float) -> tuple[str, bool]:
    return ("", True) if numbers != MANY else (f"under {SECONDS_TO_READY:.0f} s", seconds < SECONDS_TO_READY)


def _rate(rates: dict[int, float], numbers: int) -> tuple[str, bool]:
    return ("", True) if numbers != MANY else (f"{PER_SECOND} or more", rates[numbers] >= PER_SECOND)
