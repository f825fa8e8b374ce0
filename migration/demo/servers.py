"""What the demo starts: the sandbox, a Prefect server, workers. On free loopback ports, their data under one folder.

Everything is ended in reverse order when the house is left, however it is left.
"""

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from migration.demo.prefect_api import PrefectApi
from migration.runtime.process_tree import CODE_FOLDER, MARK, Child
from migration.settings import Settings

HERE = "127.0.0.1"
# Seconds. A Prefect server with a new database was measured at 9 s on two cores; others may be at work here too.
READY_WITHIN_S = 90
ASK_EVERY_S = 0.2
# Prefect's recorder writes task runs one by one unless it is told otherwise, and falls behind.
RECORDER = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_"


class DidNotStart(Exception):
    """A child ended or stayed silent; the text names its log."""


class DemoServers:
    """One folder with one home of cutover, one Prefect server and one sandbox."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.port = free_port()
        self.manifest: dict[str, Any] = {}
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all children, the youngest first. No await in here: a second Ctrl-C must not cut it short."""
        while self._children:
            self._children.pop().end()

    # -- what children are told

    @property
    def python(self) -> str:
        return sys.executable

    @property
    def prefect_url(self) -> str:
        return f"http://{HERE}:{self.port}/api"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every child: nothing of the caller's own Prefect or cutover."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CUTOVER_"))}
        mine |= {MARK: os.environ[MARK]} if MARK in os.environ else {}  # whoever started us finds our children by it
        mine["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CODE_FOLDER), mine.get("PYTHONPATH", "")]))
        return mine | self._prefect | {"CUTOVER_HOME": str(self.home), "CUTOVER_GRAPH_URL": self.graph_url}

    @property
    def _prefect(self) -> dict[str, str]:
        return {
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.prefect_url,
            "PREFECT_UI_API_URL": self.prefect_url,
            "PREFECT_SERVER_API_HOST": HERE,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            f"{RECORDER}BATCH_SIZE": "200",
            f"{RECORDER}READ_BATCH_SIZE": "200",
            f"{RECORDER}FLUSH_INTERVAL": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    @property
    def graph_url(self) -> str:
        return str(self.manifest.get("graph_url", ""))

    @property
    def settings(self) -> Settings:
        """The same for this process; every field is given, so that nothing comes from the caller's environment."""
        return Settings(
            home=self.home,
            database_url=None,
            admin_file=None,
            master_key=None,
            older_master_keys="",
            key_file=None,
            backup_dir=None,
            graph_url=self.graph_url,
            graph_version="v25.0",
        )

    # -- starting

    def _start(self, name: str, *arguments: str) -> Child:
        """A module of ours or Prefect's, in a session of its own."""
        log = self.folder / f"{name}.log"
        child = Child([sys.executable, "-m", *arguments], self.env, cwd=self.folder, log=log)
        self._children.append(child)
        return child

    async def start_sandbox(self, *fleet: str) -> None:
        """`fleet`: arguments that say what is in it. Raises DidNotStart."""
        child = self._start("sandbox", "sandbox", "--host", HERE, "--port", "0", *fleet)
        log = self.folder / "sandbox.log"
        async for _ in self._patience(child, "sandbox"):
            first, newline, _ = log.read_text().partition("\n")
            if newline and first.startswith("{"):
                self.manifest = json.loads(first)
                return

    async def start_prefect(self) -> None:
        """Raises DidNotStart."""
        child = self._start(
            "prefect", "prefect", "server", "start", "--host", HERE, "--port", str(self.port), "--no-ui"
        )
        async with PrefectApi(self.prefect_url) as api:
            async for _ in self._patience(child, "prefect"):
                if await api.healthy():
                    return

    async def start_worker(self, name: str) -> Child:
        """Ready once Prefect has heard of it. Raises DidNotStart."""
        child = self._start(name, "migration.cli", "worker", "--name", name)
        async with PrefectApi(self.prefect_url) as api:
            async for _ in self._patience(child, name):
                if await api.worker_is_online(name):
                    return child
        raise AssertionError("patience ends by raising")

    async def _patience(self, child: Child, name: str) -> AsyncIterator[None]:
        """Turns until the child ended or took too long; then DidNotStart."""
        until = asyncio.get_running_loop().time() + READY_WITHIN_S
        while child.runs() and asyncio.get_running_loop().time() < until:
            yield
            await asyncio.sleep(ASK_EVERY_S)
        log = self.folder / f"{name}.log"
        raise DidNotStart(f"{name} {'is silent' if child.runs() else 'ended'}: {last_line(log)} ({log})")

    async def cutover(self, *arguments: str) -> str:
        """A verb of the real command line, to its end. Returns what it said; raises DidNotStart with it."""
        name = f"cutover-{arguments[0]}"
        log = self.folder / f"{name}.log"
        log.unlink(missing_ok=True)
        child = self._start(name, "migration.cli", *arguments)  # ended with the house, wherever this is cut off
        while child.runs():  # noqa: ASYNC110  a process, not an event of ours
            await asyncio.sleep(ASK_EVERY_S)
        self._children.remove(child)
        if child.process.returncode not in (0, 3):
            raise DidNotStart(f"cutover {arguments[0]} ended with {child.process.returncode}: {last_line(log)}")
        return log.read_text()


def free_port() -> int:
    """A port that nobody listens on now."""
    with closing(socket.socket()) as sock:
        sock.bind((HERE, 0))
        return int(sock.getsockname()[1])


def last_line(log: Path) -> str:
    lines: Sequence[str] = log.read_text().splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
