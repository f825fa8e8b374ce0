"""A house for waves: its state on a database of either kind, workers of one run each, a Prefect server to pull away."""

import random
from pathlib import Path
from typing import Any

import yaml

from migration.children import Child
from migration.demo.prefect_api import PrefectApi
from migration.demo.servers import House
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


class Hall(House):
    """`database_url` None: SQLite in the home folder."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        super().__init__(folder)
        self._database_url = database_url
        self._server: Child | None = None

    @property
    def env(self) -> dict[str, str]:
        return super().env | ({"CUTOVER_DATABASE_URL": self._database_url} if self._database_url else {})

    @property
    def settings(self) -> Settings:
        return super().settings.model_copy(update={"database_url": self._database_url})

    async def start_prefect(self) -> None:
        await super().start_prefect()
        self._server = self._children[-1]

    async def restart_prefect(self) -> None:
        """SIGKILL, and a new one on the same port and the same database."""
        assert self._server is not None
        self._server.kill()
        await self.start_prefect()

    async def start_worker(self, name: str) -> Child:
        """One that takes one flow run at a time, so that the parts of a wave go to different workers."""
        child = self._start(name, "migration.cli", "worker", "--name", name, "--limit", "1")
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
