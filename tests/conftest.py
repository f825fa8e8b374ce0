"""What stories about numbers start from: a database of either kind and a rig on it."""

import asyncio
import shutil
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from state.schema import upgrade
from tests.harness.in_process import Rig, make_rig
from tests.harness.postgres import empty_postgres_url, postgres_server, postgres_url

__all__ = ["empty_postgres_url", "postgres_server", "postgres_url"]

# One in so many of the tests that only `make crash` runs whole is run by `make test-slow`, always the same ones.
PART_OF_MATRIX = 8
MakeRig = Callable[..., Awaitable[Rig]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("crash") and zlib.crc32(item.nodeid.encode()) % PART_OF_MATRIX == 0:
            item.own_markers = [mark for mark in item.own_markers if mark.name != "crash"]
            item.add_marker("slow")


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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.crash])])
def big_matrix_rig(request: pytest.FixtureRequest, tmp_path: Path) -> MakeRig:
    """As `rig`, for hundreds of stories: `make test` tells them on SQLite, `make crash` on PostgreSQL too."""
    url = str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))

    async def made(**how: Any) -> Rig:
        return await make_rig(tmp_path / "home", url, **how)

    return made


@pytest.fixture
def rig(database_url: str, tmp_path: Path) -> MakeRig:
    """Makes the test's rig, from its kinds of numbers, world and switches."""

    async def made(**how: Any) -> Rig:
        return await make_rig(tmp_path / "home", database_url, **how)

    return made


class Databases:
    """A fresh database for every kill of a test, of the kind that the test is for."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path, template: Path, server: Any) -> None:
        self._request = request
        self._folder = folder
        self._template = template
        self._server = server
        self._made = 0

    async def fresh(self) -> str:
        self._made += 1
        if self._server is None:
            path = self._folder / f"{self._made}.db"
            path.write_bytes(self._template.read_bytes())
            return f"sqlite+aiosqlite:///{path}"
        name = await asyncio.to_thread(self._server.new_database, "upgraded")
        self._request.addfinalizer(lambda: self._server.drop(name))
        return str(self._server.url(name))


@pytest.fixture
def databases(request: pytest.FixtureRequest, kind: str, tmp_path: Path, sqlite_template: Path) -> Databases:
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    return Databases(request, tmp_path, sqlite_template, server)
