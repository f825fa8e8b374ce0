"""The sandbox as a process of its own, and a Graph client of it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


@contextmanager
def sandbox_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen([sys.executable, "-m", "sandbox", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


def graph_client(manifest: dict[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {manifest['token']}"}
    return httpx.Client(base_url=manifest["graph_url"], headers=headers, timeout=20)


def register_body(number: dict[str, Any]) -> dict[str, str]:
    return {"messaging_product": "whatsapp", "pin": number["pin"]}
