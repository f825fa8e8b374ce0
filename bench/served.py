"""A sandbox as a process of its own, and requests to it over a few raw connections."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psutil

CONNECTIONS = 8


@contextmanager
def served(*options: str) -> Iterator[tuple[psutil.Process, dict[str, Any], float]]:
    """`python -m sandbox` on one core: its process, its manifest, and the seconds until it was ready."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sandbox", *options], stdout=subprocess.PIPE, text=True)
    _pin_to_one_core(psutil.Process(process.pid))
    try:
        assert process.stdout is not None
        manifest = json.loads(process.stdout.readline())
        yield psutil.Process(process.pid), manifest, time.perf_counter() - began
    finally:
        process.terminate()
        process.communicate()


def _pin_to_one_core(process: psutil.Process) -> None:
    if hasattr(process, "cpu_affinity"):  # not on every system
        process.cpu_affinity([max(process.cpu_affinity())])


def raw_request(manifest: Mapping[str, Any], method: str, target: str, body: Any = None) -> bytes:
    """The bytes of one request with the manifest's token."""
    content = json.dumps(body).encode() if body is not None else b""
    head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {manifest['token']}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


async def send_all(manifest: Mapping[str, Any], requests: Sequence[bytes]) -> float:
    """Sends them over several connections at once; returns requests per second. Raises where one is refused."""
    shares = [requests[at::CONNECTIONS] for at in range(CONNECTIONS)]
    began = time.perf_counter()
    await asyncio.gather(*(_send(manifest, share) for share in shares))
    return len(requests) / (time.perf_counter() - began)


async def _send(manifest: Mapping[str, Any], requests: Sequence[bytes]) -> None:
    url = urlsplit(manifest["graph_url"])
    reader, writer = await asyncio.open_connection(str(url.hostname), int(url.port or 80))
    for raw in requests:
        writer.write(raw)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(body.decode())
    writer.close()
    await writer.wait_closed()
