"""Child processes that end with whoever started them, grandchildren in sessions of their own included.

A Prefect worker starts each flow run in a new session, so neither a process group nor a parent's pid finds it once the
worker is gone. What finds it is a mark in its environment, which a process cannot lose and hands on to its children.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import migration

# Where our packages are imported from; child processes must find the same ones, from a checkout as from a wheel.
CODE_FOLDER = Path(next(iter(migration.__path__))).parent
MARK = "CUTOVER_FAMILY"
# Seconds: what a Prefect worker may take to tell its server that it ends.
GRACE_S = 20.0
LOOK_EVERY_S = 0.1
PROC = Path("/proc")


class Child:
    """One process with all that it starts. It leads a session of its own, so a Ctrl-C of the terminal passes it by."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None, log: Path | None = None
    ) -> None:
        outer = env.get(MARK, "")
        self.mark = f"{outer}/{secrets.token_hex(6)}"
        out = log.open("ab") if log is not None else None
        try:
            self.process = subprocess.Popen(  # noqa: S603  commands are ours: no shell, nothing typed by anybody
                list(command),
                env={**env, MARK: self.mark},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT if out is not None else None,
                start_new_session=True,
            )
        finally:
            if out is not None:
                out.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def runs(self) -> bool:
        return self.process.poll() is None

    def family(self) -> set[int]:
        """The process and its descendants that run now."""
        return marked(self.mark) | ({self.pid} if self.runs() else set())

    def signal(self, number: int) -> None:
        if self.runs():
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL for the whole family, again and again until none is left: one may be starting another just now."""
        while family := self.family():
            for pid in family:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(LOOK_EVERY_S)
        self.process.wait()

    def end(self, grace_s: float = GRACE_S) -> int:
        """SIGTERM, some time to go in peace, SIGKILL for what is left. Returns the exit code."""
        self.signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        self.kill()
        return self.process.returncode


def marked(mark: str) -> set[int]:
    """Processes whose environment carries the mark or one that was made under it; zombies are not among them."""
    if not (PROC / "self" / "environ").exists():
        return {pid for pid, command in _listed() if _carries(command, mark)}
    return {int(path.name) for path in PROC.iterdir() if path.name.isdigit() and _carries(_environment(path), mark)}


def _carries(environment: str, mark: str) -> bool:
    place = environment.find(f"{MARK}={mark}")
    return place >= 0 and environment[place + len(MARK) + 1 + len(mark) :][:1] in ("", "/", "\0", " ")


def _environment(path: Path) -> str:
    """Empty for a process that is gone, a zombie, or somebody else's."""
    try:
        return (path / "environ").read_bytes().decode("latin-1")
    except OSError:
        return ""


def _listed() -> list[tuple[int, str]]:
    """Without /proc: what `ps` shows of processes and their environment."""
    command = ["ps", "axeww", "-o", "pid=,command="]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    rows = [line.split(maxsplit=1) for line in shown.splitlines()]
    return [(int(row[0]), row[1]) for row in rows if len(row) == 2]
