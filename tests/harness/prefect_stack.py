"""A Prefect server, workers and databases of either kind, for tests of waves."""

import csv
import json
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from migration.demo.servers import DemoServers
from migration.runtime.process_tree import ChildProcess
from migration.settings import Settings

# One number in FAULT_EVERY has a fault. Each is a fault of the network and passes. No fault concerns a backup: such a
# number takes another itinerary and waits for a code.
FAULT_EVERY = 8
FAULTS = (
    ("register", "lost_answer"),
    ("register", "reset_before"),
    ("register", "truncated"),
    ("register", "slow"),
    ("onprem.two_step", "lost_answer"),
    ("pause_sends", "lost_answer"),
    ("switch_route", "lost_answer"),
    ("get.number", "html"),
)
SLOW_S = 6
START = """
[commands.start-instance]
argv = {argv}
arguments = {{ instance = "[A-Za-z0-9_-]+" }}
"""


class PrefectStack(DemoServers):
    """`database_url`: of our own state, `prefect_database_url`: of Prefect's; None: SQLite."""

    def __init__(self, folder: Path, database_url: str | None = None, prefect_database_url: str | None = None) -> None:
        super().__init__(folder)
        self._database_url = database_url
        self._prefect_database_url = prefect_database_url
        self._server: ChildProcess | None = None

    @property
    def env(self) -> dict[str, str]:
        urls = {
            "CUTOVER_DATABASE_URL": self._database_url,
            "PREFECT_API_DATABASE_CONNECTION_URL": self._prefect_database_url,
        }
        return super().env | {name: url for name, url in urls.items() if url is not None}

    @property
    def settings(self) -> Settings:
        return replace(super().settings, database_url=self._database_url)

    async def start_prefect(self) -> None:
        await super().start_prefect()
        self._server = self.children[-1]

    def end(self) -> None:
        """Kill every process: a graceful end takes up to 20 s for each worker and server."""
        while self.children:
            self.children.pop().kill()

    def open(self, name: str, *arguments: str) -> ChildProcess:
        """Start a command that keeps running, such as a worker, as a process of its own."""
        return self.start_process(name, "migration.cli", *arguments)

    def kill_prefect(self) -> None:
        assert self._server is not None
        self._server.kill()

    async def restart_prefect(self) -> None:
        """Kill the server with SIGKILL and start another on the same port and database."""
        self.kill_prefect()
        await self.start_prefect()

    async def start_worker(self, name: str, *options: str, limit: int = 1) -> ChildProcess:
        """Start a worker. With limit 1 it takes one flow run at a time: the parts of a wave go to different workers."""
        return await super().start_worker(name, "--limit", str(limit), *options)


def write_scenario(path: Path, numbers: int, seed: int) -> Path:
    """A scenario file of healthy numbers with reads that lag, and faults on some numbers; the seed chooses which."""
    random_source = random.Random(seed)
    scenario = {
        "world": "closing",
        "seed": seed,
        "switches": {"read_lag_s": 2, "register_seconds": 1},
        "numbers": [_number(random_source) for _ in range(numbers)],
    }
    path.write_text(yaml.safe_dump(scenario))
    return path


def _number(random_source: random.Random) -> dict[str, Any]:
    number: dict[str, Any] = {"kind": "healthy"}
    if random_source.randrange(FAULT_EVERY) == 0:
        route, kind = random_source.choice(FAULTS)
        number["faults"] = [{"route": route, "kind": kind} | ({"seconds": SLOW_S} if kind == "slow" else {})]
    return number


def name_start_command(admin: Path, inventory: Path, sandbox_url: str) -> None:
    """Name a start command in the admin file, and name it in every row of the inventory."""
    argv = [sys.executable, "-m", "sandbox.control.client_commands", "--url", sandbox_url, "start", "{instance}"]
    with admin.open("a") as file:
        file.write(START.format(argv=json.dumps(argv)))
    with inventory.open() as file:
        rows = [row | {"start_command": "start-instance"} for row in csv.DictReader(file)]
    with inventory.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
