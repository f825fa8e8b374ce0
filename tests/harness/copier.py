"""A rig told on from one moment as often as wanted: each time on a copy of all that there is."""

import asyncio
import copy
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from tests.conftest import Databases
from tests.harness.in_process import Rig, make_rig
from tests.harness.postgres import PostgresServer


class Copies:
    def __init__(self, databases: Databases, folder: Path, server: PostgresServer | None) -> None:
        self._databases = databases
        self._folder = folder
        self._server = server
        self._made = 0

    async def begin(self, **how: Any) -> Rig:
        """The rig that the others are copied from."""
        return await make_rig(self._folder / "home", await self._databases.fresh(), **how)

    @asynccontextmanager
    async def of(self, rig: Rig) -> AsyncIterator[Rig]:
        """Far sides, clock, home folder and database as they are now; no worker may be open on it. Gone afterwards."""
        self._made += 1
        folder = self._folder / f"copy{self._made}"
        await asyncio.to_thread(shutil.copytree, rig.folder, folder)
        url = await self._copied(rig.settings.database, folder)
        told = copy.deepcopy(rig)
        told.folder = folder
        told.settings = rig.settings.model_copy(update={"home": folder, "database_url": url})
        try:
            yield told
        finally:
            await self._removed(url, folder)

    async def _copied(self, url: str, folder: Path) -> str:
        name = make_url(url).database
        assert name is not None
        if self._server is None:
            shutil.copy(name, folder / "state.db")
            return f"sqlite+aiosqlite:///{folder / 'state.db'}"
        return self._server.url(await asyncio.to_thread(self._server.new_database, name))

    async def _removed(self, url: str, folder: Path) -> None:
        if self._server is not None:
            name = make_url(url).database
            assert name is not None
            await asyncio.to_thread(self._server.drop, name)
        shutil.rmtree(folder)
