"""A house for waves: its state on a database of either kind, workers of one run each, a Prefect server to pull away."""

import csv
import json
import random
import sys
from pathlib import Path
from typing import Any

import yaml

from migration.demo.prefect_api import PrefectApi
from migration.demo.servers import DemoServers
from migration.runtime.process_tree import Child
from migration.settings import Settings

# One number in so many has a trouble of its own; each is the network's fault and passes. None of a backup is among
# them: such a number goes another way and waits for somebody to type a code.
TROUBLED = 8
TROUBLES = (
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
        self._server: Child | None = None

    @property
    def env(self) -> dict[str, str]:
        urls = {
            "CUTOVER_DATABASE_URL": self._database_url,
            "PREFECT_API_DATABASE_CONNECTION_URL": self._prefect_database_url,
        }
        return super().env | {name: url for name, url in urls.items() if url is not None}

    @property
    def settings(self) -> Settings:
        return super().settings.model_copy(update={"database_url": self._database_url})

    async def start_prefect(self) -> None:
        await super().start_prefect()
        self._server = self._children[-1]

    def end(self) -> None:
        """Nothing in here is worth a goodbye: a worker and a server take up to 20 seconds each for theirs."""
        while self._children:
            self._children.pop().kill()

    def open(self, name: str, *arguments: str) -> Child:
        """A verb of the command line that stays, in a terminal of its own."""
        return self._start(name, "migration.cli", *arguments)

    def kill_prefect(self) -> None:
        assert self._server is not None
        self._server.kill()

    async def restart_prefect(self) -> None:
        """SIGKILL, and a new one on the same port and the same database."""
        self.kill_prefect()
        await self.start_prefect()

    async def start_worker(self, name: str, *, limit: int = 1) -> Child:
        """One that takes one flow run at a time, so that the parts of a wave go to different workers."""
        child = self._start(name, "migration.cli", "worker", "--name", name, "--limit", str(limit))
        async with PrefectApi(self.prefect_url) as api:
            async for _ in self._patience(child, name):
                if await api.worker_is_online(name):
                    return child
        raise AssertionError("patience ends by raising")


def write_scenario(path: Path, numbers: int, seed: int) -> Path:
    """Healthy numbers, reads that lag, and faults on some: which ones is the seed's."""
    dice = random.Random(seed)
    fleet = {
        "world": "closing",
        "seed": seed,
        "switches": {"read_lag_s": 2, "register_seconds": 1},
        "numbers": [_number(dice) for _ in range(numbers)],
    }
    path.write_text(yaml.safe_dump(fleet))
    return path


def _number(dice: random.Random) -> dict[str, Any]:
    number: dict[str, Any] = {"kind": "healthy"}
    if dice.randrange(TROUBLED) == 0:
        route, kind = dice.choice(TROUBLES)
        number["faults"] = [{"route": route, "kind": kind} | ({"seconds": SLOW_S} if kind == "slow" else {})]
    return number


def name_start_command(admin: Path, inventory: Path, sandbox_url: str) -> None:
    """Every client of the inventory can be started again by a command that the admin file names."""
    argv = [sys.executable, "-m", "sandbox.control.client_commands", "--url", sandbox_url, "start", "{instance}"]
    with admin.open("a") as file:
        file.write(START.format(argv=json.dumps(argv)))
    with inventory.open() as file:
        rows = [row | {"start_command": "start-instance"} for row in csv.DictReader(file)]
    with inventory.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
