"""Child processes that end with the process that started them, and so do all of their descendants.

A Prefect worker starts each flow run in a new session. Once the worker has exited, neither a process group nor a
parent's pid leads to the run. A mark in the environment does: descendants inherit it, and a running process cannot
lose it.
"""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import migration

# Where our packages are imported from; child processes must import the same ones, from a checkout as from a wheel.
CODE_FOLDER = Path(next(iter(migration.__path__))).parent
MARK_VARIABLE = "CUTOVER_FAMILY"
GRACE_S = 20.0  # the longest that a Prefect worker takes to report its end to its server
POLL_INTERVAL_S = 0.1
PROC = Path("/proc")


def safe_python(env: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Python child, whose children inherit it: nothing is imported from the current directory.

    An empty or relative part of PYTHONPATH means it too. https://docs.python.org/3/using/cmdline.html#envvar-PYTHONSAFEPATH
    """
    paths = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path)]  # noqa: PTH117
    safe = {name: value for name, value in env.items() if name != "PYTHONPATH"} | {"PYTHONSAFEPATH": "1"}
    return safe | ({"PYTHONPATH": os.pathsep.join(paths)} if paths else {})


class ChildProcess:
    """A process and its descendants. It leads its own session, so a Ctrl-C in the terminal does not reach it."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: Path | None = None,
        log: Path | None = None,
        output: TextIO | None = None,
    ) -> None:
        """What it prints goes to the file `log`, or to `output`, or where our own output goes."""
        parent_mark = env.get(MARK_VARIABLE, "")
        self.mark = f"{parent_mark}/{secrets.token_hex(6)}"
        file = log.open("ab") if log is not None else None
        try:
            self.process = subprocess.Popen(  # noqa: S603  the commands are ours: no shell, no input of a user
                list(command),
                env={**safe_python(env), MARK_VARIABLE: self.mark},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=file if file is not None else output,
                stderr=subprocess.STDOUT if file is not None else output,
                start_new_session=True,
            )
        finally:
            if file is not None:
                file.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_running(self) -> bool:
        return self.process.poll() is None

    def running_pids(self) -> set[int]:
        """Of the process and its descendants."""
        return marked_pids(self.mark) | ({self.pid} if self.is_running() else set())

    def running_pids_of(self, command: str) -> set[int]:
        """Of the descendants whose command line contains that text."""
        return {pid for pid in self.running_pids() - {self.pid} if command in _command_line(pid)}

    def send_signal(self, number: int) -> None:
        """To the process alone; nothing happens if it has exited."""
        if self.is_running():
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the process and its descendants, repeated until none is left: one may just be starting another."""
        while pids := self.running_pids():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(POLL_INTERVAL_S)
        self.process.wait()

    def stop(self, grace_s: float = GRACE_S) -> int:
        """SIGTERM, then SIGKILL to all that still run after `grace_s` seconds. Returns the exit code."""
        self.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        self.kill()
        return self.process.returncode


def marked_pids(mark: str) -> set[int]:
    """Running processes whose environment has this mark, or one that begins with it and a slash; no zombies."""
    if not (PROC / "self" / "environ").exists():
        return {pid for pid, environment in _ps_rows() if _has_mark(environment, mark)}
    return {int(path.name) for path in PROC.iterdir() if path.name.isdigit() and _has_mark(_environment(path), mark)}


def _has_mark(environment: str, mark: str) -> bool:
    variable = f"{MARK_VARIABLE}={mark}"
    start = environment.find(variable)
    return start >= 0 and environment[start + len(variable) :][:1] in ("", "/", "\0", " ")


def _environment(path: Path) -> str:
    """Empty for a process that has exited, a zombie, or one of another user."""
    try:
        return (path / "environ").read_bytes().decode("latin-1")
    except OSError:
        return ""


def _command_line(pid: int) -> str:
    """Empty for a process that has exited. Without /proc, `ps` says it."""
    path = PROC / str(pid) / "cmdline"
    if not (PROC / "self" / "cmdline").exists():
        return next((text for row, text in _ps_rows() if row == pid), "")
    try:
        return path.read_bytes().replace(b"\0", b" ").decode("latin-1")
    except OSError:
        return ""


def _ps_rows() -> list[tuple[int, str]]:
    """Without /proc: pid, and command with environment, of every process that `ps` shows."""
    command = ["ps", "axeww", "-o", "pid=,command="]
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603
    rows = [line.split(maxsplit=1) for line in output.splitlines()]
    return [(int(row[0]), row[1]) for row in rows if len(row) == 2]
