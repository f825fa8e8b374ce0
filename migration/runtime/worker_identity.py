"""Which process holds a number, said so that others on the same machine can tell whether it still lives.

A lease ends by the database's clock, and nobody renews it. Where its holder was killed, that is up to a minute in which
a number waits for nothing. A process that is gone cannot send, so its lease may end at once; whether it is gone can be
known only on its own machine, since its last boot, among the processes that share its numbering. Everybody else waits.
"""

import hashlib
import os
import secrets
import socket
from pathlib import Path

PROC = Path("/proc")  # Linux: https://man7.org/linux/man-pages/man5/proc.5.html
# Dead, and not yet collected by its parent: neither runs any more.
ENDED = ("Z", "X")


def holder_name(pid: int | None = None, proc: Path = PROC) -> str:
    """`host:pid:chance:machine:started`, at most 120 characters; the last two are empty where there is no /proc."""
    asked = os.getpid() if pid is None else pid
    words = (socket.gethostname()[:40], str(asked), secrets.token_hex(3), _machine(proc), _started(asked, proc) or "")
    return ":".join(words)


def is_gone(holder: str, proc: Path = PROC) -> bool:
    """Whether that process is known not to run any more. False where it cannot be known from here."""
    words = holder.rsplit(":", 4)
    if len(words) != 5 or not words[1].isdecimal():
        return False
    _, pid, _, machine, started = words
    if not machine or machine != _machine(proc) or not started:
        return False
    return _started(int(pid), proc) != started


def _machine(proc: Path) -> str:
    """Names this boot of this machine, and which numbering of processes; empty where the system does not say."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        numbering = (proc / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {numbering}".encode()).hexdigest()[:12]


def _started(pid: int, proc: Path) -> str | None:
    """When that process began, in ticks since boot: a number is given out again, together with its time it is not.

    None: it does not run.
    """
    try:
        told = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *fields = told.rpartition(")")[2].split()
    return None if state in ENDED else fields[18]
