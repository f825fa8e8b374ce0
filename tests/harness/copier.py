"""Copies of a harness, so that a test can continue from one moment more than once."""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.harness.databases import Databases
from tests.harness.in_process import Harness, build_harness
from tests.harness.postgres import PostgresServer


class HarnessCopier:
    """`server`: the PostgreSQL that the databases are on; None for SQLite."""

    def __init__(self, databases: Databases, folder: Path, server: PostgresServer | None) -> None:
        self._databases = databases
        self._folder = folder
        self._server = server
        self._copies = 0

    async def build(self, **options: Any) -> Harness:
        """The harness that the others are copied from; the options are those of `build_harness`."""
        return await build_harness(self._folder / "home", await self._databases.fresh(), **options)

    @asynccontextmanager
    async def copy_of(self, harness: Harness) -> AsyncIterator[Harness]:
        """A copy of sandbox, clock, home folder and database, removed at the end. `harness` may have no open worker."""
        self._copies += 1
        folder = self._folder / f"copy{self._copies}"
        await asyncio.to_thread(shutil.copytree, harness.folder, folder)
        url = await self._copy_database(harness.settings.database, folder)
        copied = copy.deepcopy(harness)
        copied.folder = folder
        copied.settings = replace(harness.settings, home=folder, database_url=url)
        try:
            yield copied
        finally:
            await self._remove(url, folder)

    async def _copy_database(self, url: str, folder: Path) -> str:
        name = make_url(url).database
        assert name is not None
        if self._server is None:
            shutil.copy(name, folder / "state.db")
            return f"sqlite+aiosqlite:///{folder / 'state.db'}"
        return self._server.url(await asyncio.to_thread(self._server.new_database, name))

    async def _remove(self, url: str, folder: Path) -> None:
        if self._server is not None:
            name = make_url(url).database
            assert name is not None
            await asyncio.to_thread(self._server.drop, name)
        shutil.rmtree(folder)
