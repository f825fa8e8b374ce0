"""Child processes of a test: they get free loopback ports, print a line when they are ready, and are ended by pid."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def child(
    *argv: str, env: dict[str, str] | None = None, stdout: Any = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """Start a child in a process group of its own; at the end the whole group is terminated."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **(env or {})}
    process = subprocess.Popen(argv, env=environment, stdout=stdout, text=True, start_new_session=True)
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                _signal(process.pid, number)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    continue
        _signal(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


def _signal(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return


def line_of(process: subprocess.Popen[str], within_s: float = 20.0) -> str:
    """The next line that the child prints."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], within_s)
    assert ready, f"no line within {within_s} s"
    return process.stdout.readline()


@contextmanager
def sandbox_server(*arguments: str) -> Iterator[dict[str, Any]]:
    """Start the sandbox as a server; gives its manifest."""
    with child(sys.executable, "-m", "sandbox", "--port", "0", *arguments) as process:
        yield json.loads(line_of(process))
