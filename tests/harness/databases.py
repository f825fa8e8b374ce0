"""Databases at the newest schema revision: a new one for each test, or for each case inside a test."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.schema import upgrade
from tests.harness.postgres import TEMPLATE, PostgresServer


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
    """Runs the test on SQLite and on PostgreSQL."""
    return url_of_kind(request, request.param)


def url_of_kind(request: pytest.FixtureRequest, kind: str) -> str:
    return str(request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url"))


class Databases:
    """Gives a new database whenever asked, for tests that need many. `server` is None for SQLite."""

    def __init__(self, folder: Path, template: Path, server: PostgresServer | None) -> None:
        self._folder = folder
        self._template = template
        self._server = server
        self._count = 0
        self._names: list[str] = []

    async def fresh(self) -> str:
        """The URL of a new, upgraded, empty database."""
        self._count += 1
        if self._server is None:
            path = self._folder / f"{self._count}.db"
            path.write_bytes(self._template.read_bytes())
            return f"sqlite+aiosqlite:///{path}"
        name = await asyncio.to_thread(self._server.new_database, TEMPLATE)
        self._names.append(name)
        return self._server.url(name)

    def drop_all(self) -> None:
        for name in self._names:
            assert self._server is not None
            self._server.drop(name)


@pytest.fixture
def databases(request: pytest.FixtureRequest, kind: str, tmp_path: Path, sqlite_template: Path) -> Iterator[Databases]:
    """Of the kind that the test's parameter `kind` names: "sqlite" or "postgresql"."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    made = Databases(tmp_path, sqlite_template, server)
    yield made
    made.drop_all()
