"""What stories about numbers start from: a database of either kind and a rig on it."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from state.schema import upgrade
from tests.postgres import empty_postgres_url, postgres_server, postgres_url
from tests.rig import Rig, make_rig

__all__ = ["empty_postgres_url", "postgres_server", "postgres_url"]

MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An upgraded, empty SQLite database; tests copy it."""
    path = tmp_path_factory.mktemp("template") / "state.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "state.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The same test on SQLite and on PostgreSQL."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def rig(database_url: str, tmp_path: Path) -> MakeRig:
    """Makes the test's rig: `await rig(kinds=["healthy"], world="closing", switches={...})`."""

    async def made(**how: Any) -> Rig:
        return await make_rig(tmp_path / "home", database_url, **how)

    return made
