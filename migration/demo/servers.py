"""The processes of the demo: sandbox, Prefect server, workers. On free loopback ports, with their data in a folder."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from migration.demo.prefect_api import PrefectApi
from migration.runtime.process_tree import CODE_FOLDER, MARK_VARIABLE, ChildProcess
from migration.settings import Settings

LOOPBACK = "127.0.0.1"
# Seconds. A Prefect server with a new database was measured at 9 s on two idle cores.
READY_WITHIN_S = 90
POLL_S = 0.2
# Prefect's recorder writes task runs one by one unless a batch size is set, and falls behind.
RECORDER = "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_"


class DidNotStart(Exception):
    """A process ended, or was not ready in time; the message names its log file."""


class DemoServers:
    """One folder with a home folder of cutover, a Prefect server and a sandbox.

    Leaving the context ends all processes in reverse order, also after an error.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.port = free_port()
        self.manifest: dict[str, Any] = {}  # the sandbox's ready line
        self.children: list[ChildProcess] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End all processes, the last started first. Has no await, so that a second Ctrl-C cannot interrupt it."""
        while self.children:
            self.children.pop().stop()

    def kill(self) -> None:
        """End all processes at once."""
        for child in reversed(self.children):
            child.kill()

    # -- settings

    @property
    def prefect_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/api"

    @property
    def graph_url(self) -> str:
        return str(self.manifest.get("graph_url", ""))

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process, without the caller's own settings of Prefect and cutover."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "CUTOVER_"))}
        if MARK_VARIABLE in os.environ:  # the process that started us finds ours by this variable
            inherited[MARK_VARIABLE] = os.environ[MARK_VARIABLE]
        inherited["PYTHONPATH"] = os.pathsep.join(filter(None, [str(CODE_FOLDER), inherited.get("PYTHONPATH", "")]))
        cutover = {"CUTOVER_HOME": str(self.home), "CUTOVER_GRAPH_URL": self.graph_url}
        return inherited | self._prefect_settings | cutover

    @property
    def _prefect_settings(self) -> dict[str, str]:
        return {
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_API_URL": self.prefect_url,
            "PREFECT_UI_API_URL": self.prefect_url,
            "PREFECT_SERVER_API_HOST": LOOPBACK,
            "PREFECT_SERVER_API_PORT": str(self.port),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            f"{RECORDER}BATCH_SIZE": "200",
            f"{RECORDER}READ_BATCH_SIZE": "200",
            f"{RECORDER}FLUSH_INTERVAL": "1",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    @property
    def settings(self) -> Settings:
        """The same settings for this process. Every field is given, so that none comes from its environment."""
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

    # -- processes

    def start_process(self, name: str, *arguments: str) -> ChildProcess:
        """Start `python -m` with these arguments, in a session of its own. `name` is the name of its log file."""
        command = [sys.executable, "-P", "-m", *arguments]
        child = ChildProcess(command, self.env, cwd=self.folder, log=self._log(name))
        self.children.append(child)
        return child

    async def wait_until(self, child: ChildProcess, name: str, is_ready: Callable[[], Awaitable[bool]]) -> None:
        """Raises DidNotStart if the process ends, or is not ready within READY_WITHIN_S."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READY_WITHIN_S
        while child.is_running() and loop.time() < deadline:
            if await is_ready():
                return
            await asyncio.sleep(POLL_S)
        log = self._log(name)
        raise DidNotStart(f"{name} {'is silent' if child.is_running() else 'ended'}: {last_line(log)} ({log})")

    async def start_sandbox(self, *fleet: str) -> None:
        """`fleet`: the sandbox's options for its numbers. Raises DidNotStart."""
        child = self.start_process("sandbox", "sandbox", "--host", LOOPBACK, "--port", "0", *fleet)

        async def is_ready() -> bool:
            first_line, newline, _ = self._log("sandbox").read_text().partition("\n")
            if not newline or not first_line.startswith("{"):
                return False
            self.manifest = json.loads(first_line)
            return True

        await self.wait_until(child, "sandbox", is_ready)

    async def start_pages(self) -> tuple[str, str]:
        """Start `cutover serve`, which moves nothing here. Raises DidNotStart.

        Gives the address that signs in, and the one that takes the profile's webhooks.
        """
        child = self.start_process("serve", "migration.cli", "serve", "--port", "0", "--no-moves")
        ready: dict[str, Any] = {}

        async def is_ready() -> bool:
            lines = self._log("serve").read_text().splitlines(keepends=True)
            line = next((line for line in lines if line.startswith("{") and line.endswith("\n")), None)
            ready.update(json.loads(line) if line is not None else {})
            return bool(ready)

        await self.wait_until(child, "serve", is_ready)
        return ready["pages_url"], ready["webhook_urls"]["main"]

    async def start_prefect(self) -> None:
        """Raises DidNotStart."""
        child = self.start_process(
            "prefect", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(self.port), "--no-ui"
        )
        async with PrefectApi(self.prefect_url) as api:
            await self.wait_until(child, "prefect", api.is_healthy)

    async def start_worker(self, name: str, *options: str) -> ChildProcess:
        """Start a worker and wait until Prefect shows it online. Raises DidNotStart."""
        child = self.start_process(name, "migration.cli", "worker", "--name", name, *options)
        async with PrefectApi(self.prefect_url) as api:
            await self.wait_until(child, name, lambda: api.worker_is_online(name))
        return child

    async def cutover(self, *arguments: str) -> str:
        """Run a verb of the command line to its end. Returns its output; raises DidNotStart with its last line."""
        name = f"cutover-{arguments[0]}"
        log = self._log(name)
        log.unlink(missing_ok=True)
        child = self.start_process(name, "migration.cli", *arguments)  # ended with the others if this is cancelled
        while child.is_running():  # noqa: ASYNC110  a process, which sets no event
            await asyncio.sleep(POLL_S)
        self.children.remove(child)
        if child.process.returncode not in (0, 3):
            raise DidNotStart(f"cutover {arguments[0]} ended with {child.process.returncode}: {last_line(log)}")
        return log.read_text()

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


def free_port() -> int:
    """A port that no process listens on now."""
    with closing(socket.socket()) as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def last_line(log: Path) -> str:
    lines = log.read_text().splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
