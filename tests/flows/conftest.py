"""Flows run against a sandbox that is a server of its own; Prefect is its test harness, or a real server (slow)."""

import asyncio
import gc
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from migration.app import App, open_app
from migration.demo.partner_files import write_home
from migration.demo.sandbox_control import SandboxControl
from migration.demo.servers import DemoServers
from migration.fleet.importing import import_fleet
from migration.vault.sealing import new_master_key, write_private
from state.rows import Position


@pytest.fixture(scope="session")
def harness() -> Iterator[None]:
    """Prefect's own test server, once for all tests of a process."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def swept() -> Iterator[None]:
    """What Prefect left unclosed is collected inside the test that says so, not in somebody else's."""
    yield
    gc.collect()


class Place:
    """A house with a fleet in it, and this process's environment pointing there."""

    def __init__(self, house: DemoServers, template: Path) -> None:
        self.house = house
        self.template = template

    @property
    def oracle_url(self) -> str:
        return str(self.house.manifest["sandbox_url"])

    async def fill(self, *fleet: str, wave: str = "demo") -> None:
        """Start a sandbox with this fleet and import all of it; `wave` may be empty."""
        await self.house.start_sandbox(*fleet)
        os.environ["CUTOVER_GRAPH_URL"] = self.house.graph_url  # put back by the fixture
        inventory = write_home(self.house.home, self.house.manifest, wave)
        shutil.copy(self.template, self.house.home / "cutover.db")
        write_private(self.house.settings.key_path, new_master_key().get_secret_value())
        async with self.app() as app:
            await import_fleet(app, inventory, "tester", lambda done, of: None)

    def app(self) -> Any:
        return open_app(self.house.settings)

    async def board(self) -> tuple[Position, ...]:
        async with self.app() as app:
            opened: App = app
            return await opened.queries.board()

    async def truth(self) -> list[dict[str, Any]]:
        async with SandboxControl(self.oracle_url) as oracle:
            return await oracle.numbers()

    async def writes(self) -> list[str]:
        async with SandboxControl(self.oracle_url) as oracle:
            return [one["call"] for one in await oracle.calls() if one["write"]]

    def rows(self) -> str:
        """All of our own database, to see that nothing was written into it."""
        with closing(sqlite3.connect(f"file:{self.house.home}/cutover.db?mode=ro", uri=True)) as database:
            return "\n".join(database.iterdump())

    async def code(self, e164: str) -> str:
        """The newest code on the number's phone, as soon as there is one."""
        async with SandboxControl(self.oracle_url) as oracle:
            for _ in range(100):
                if (code := await oracle.code(e164)) is not None:
                    return code
                await asyncio.sleep(0.1)
        raise AssertionError("no code came within ten seconds")


@pytest_asyncio.fixture(loop_scope="session")
async def place(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """Flows in this process read its settings from the environment."""
    async with DemoServers(tmp_path) as house:
        for name in [name for name in os.environ if name.startswith("CUTOVER_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("CUTOVER_HOME", str(house.home))
        monkeypatch.setenv("CUTOVER_GRAPH_URL", "")
        yield Place(house, sqlite_template)
