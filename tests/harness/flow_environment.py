"""A sandbox in a process of its own with a fleet that is imported into our SQLite database, for tests of flows."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from migration.app import open_app
from migration.demo.partner_files import write_home
from migration.demo.sandbox_control import SandboxControl
from migration.demo.servers import DemoServers
from migration.fleet.importing import import_fleet
from migration.home.reader import open_reader
from migration.vault.private_file import write_private
from migration.vault.sealing import new_master_key
from state.rows import Position
from tests.harness.in_process import everybody_at_the_phone
from tests.harness.waiting import wait_for

CODE_WITHIN_S = 10.0


class FlowEnvironment:
    """`template`: an upgraded, empty SQLite database."""

    def __init__(self, stack: DemoServers, template: Path) -> None:
        self.stack = stack
        self.template = template

    @property
    def sandbox_url(self) -> str:
        return str(self.stack.manifest["sandbox_url"])

    async def start_and_import(self, *fleet: str, wave: str = "demo") -> None:
        """Start a sandbox with this fleet and import all of it; `wave` may be empty."""
        await self.stack.start_sandbox(*fleet)
        os.environ["CUTOVER_GRAPH_URL"] = self.stack.graph_url  # the fixture restores it
        inventory = write_home(self.stack.home, self.stack.manifest, wave)
        shutil.copy(self.template, self.stack.home / "cutover.db")
        write_private(self.stack.settings.key_path, new_master_key().get_secret_value())
        async with self.app() as app:
            await import_fleet(app, inventory, "tester", lambda done, of: None)
            await everybody_at_the_phone(app)

    def app(self) -> Any:
        return open_app(self.stack.settings)

    async def positions(self) -> tuple[Position, ...]:
        async with open_reader(self.stack.settings) as home:
            return await home.queries.positions.board()

    async def sandbox_numbers(self) -> list[dict[str, Any]]:
        async with SandboxControl(self.sandbox_url) as control:
            return await control.numbers()

    async def sandbox_writes(self) -> list[str]:
        """The names of the calls that change something, in order."""
        async with SandboxControl(self.sandbox_url) as control:
            return [call["call"] for call in await control.calls() if call["write"]]

    def database_dump(self) -> str:
        """All of our own database as SQL, to see that nothing was written into it."""
        with closing(sqlite3.connect(f"file:{self.stack.home}/cutover.db?mode=ro", uri=True)) as database:
            # A command counts its opening in `home`, and the calls of its readings in `call_budgets`.
            counted = ('INSERT INTO "home"', 'INSERT INTO "call_budgets"')
            return "\n".join(line for line in database.iterdump() if not line.startswith(counted))

    async def newest_code(self, e164: str) -> str:
        """The newest code on the number's phone, as soon as there is one."""
        async with SandboxControl(self.sandbox_url) as control:
            return await wait_for(lambda: control.code(e164), "a code", within_s=CODE_WITHIN_S)
