"""Whether the process that holds a number still lives: decided on its own machine only."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import psutil
import pytest

from migration.runtime.worker_identity import holder_name, is_gone

Child: TypeAlias = "subprocess.Popen[bytes]"


@pytest.fixture
def child() -> Iterator[Child]:
    """A process that does nothing until its standard input ends."""
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield running
    running.kill()
    running.wait()
    assert running.stdin is not None
    running.stdin.close()


def test_a_living_process_is_not_gone(child: Child) -> None:
    assert not is_gone(holder_name())
    assert not is_gone(holder_name(child.pid))


def test_a_killed_process_is_gone_before_its_parent_waits_for_it(child: Child) -> None:
    holder = holder_name(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_gone(holder)
    child.wait()
    assert is_gone(holder)


def test_a_suspended_process_is_not_gone(child: Child) -> None:
    holder = holder_name(child.pid)
    stopped = psutil.Process(child.pid)
    stopped.suspend()
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    assert not is_gone(holder)
    stopped.resume()


def test_a_process_that_reuses_the_pid_is_another() -> None:
    host, pid, token, machine, started = holder_name().rsplit(":", 4)
    assert is_gone(":".join((host, pid, token, machine, str(int(started) - 1))))


@pytest.mark.parametrize("part", [3, 4])
def test_a_holder_of_another_machine_or_boot_is_not_declared_gone(part: int) -> None:
    parts = holder_name(4_194_304).rsplit(":", 4)  # no process has such a high pid
    parts[3:] = ["0" * 12, "1"] if part == 3 else [parts[3], ""]
    assert not is_gone(":".join(parts))


@pytest.mark.parametrize("name", ["", "worker-1", "host:12:abc", "a:b:c:d:e", "host:-1:abc:def:5"])
def test_a_holder_name_of_another_format_is_not_declared_gone(name: str) -> None:
    assert not is_gone(name)


def test_without_proc_no_holder_is_declared_gone(tmp_path: Path) -> None:
    name = holder_name(proc=tmp_path)
    assert name.endswith("::")
    assert not is_gone(name, tmp_path)
    assert not is_gone(holder_name(), tmp_path)
