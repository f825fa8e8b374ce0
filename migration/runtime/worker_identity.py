"""The name of a worker process, from which other workers on the same machine can tell whether it still runs.

A lease ends by the database's clock, and nothing renews it. When its holder was killed, its number would wait up to a
minute for nothing. A process that has exited cannot send, so its lease may end at once. Only a process on the same
machine, since the same boot and in the same pid namespace, can tell whether it has exited; every other one waits.
"""

import hashlib
import os
import secrets
import socket
from functools import cache
from pathlib import Path

PROC = Path("/proc")  # Linux: https://man7.org/linux/man-pages/man5/proc.5.html
EXITED_STATES = ("Z", "X")  # zombie: exited, and not yet collected by its parent; dead


def holder_name(pid: int | None = None, proc: Path = PROC) -> str:
    """`host:pid:random:machine:started`, at most 120 characters; the last two are empty where there is no /proc."""
    pid = os.getpid() if pid is None else pid
    parts = (socket.gethostname()[:40], str(pid), secrets.token_hex(3), _machine(proc), _started(pid, proc) or "")
    return ":".join(parts)


def is_gone(holder: str, proc: Path = PROC) -> bool:
    """Whether that process is known to have exited. False where this machine cannot tell."""
    parts = holder.rsplit(":", 4)
    if len(parts) != 5 or not parts[1].isdecimal():
        return False
    _, pid, _, machine, started = parts
    if not machine or machine != _machine(proc) or not started:
        return False
    return _started(int(pid), proc) != started


@cache  # both stay what they are while a process lives, and each number's row asks for them
def _machine(proc: Path) -> str:
    """A hash of this machine's boot and of this process's pid namespace; empty where the system shows neither."""
    try:
        boot_id = (proc / "sys/kernel/random/boot_id").read_text().strip()
        pid_namespace = (proc / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot_id} {pid_namespace}".encode()).hexdigest()[:12]


def _started(pid: int, proc: Path) -> str | None:
    """When that process started, in clock ticks since boot; None if it does not run.

    The system reuses a pid, but never with the same start.
    """
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in EXITED_STATES else fields[18]
