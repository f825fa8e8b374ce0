"""Debian's PostgreSQL with its contrib modules: Prefect's own schema needs `pg_trgm`, which the embedded one lacks.

A server of its own for whoever asks, on a loopback port and a unix socket in a temporary folder, ended by its pid. What
cannot be started fails the test in one line: nothing is skipped.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from migration.demo.servers import HERE, free_port, last_line

PROGRAMS = Path("/usr/lib/postgresql")
EXTENSIONS = Path("/usr/share/postgresql")
READY_WITHIN_S = 60
ENDS_WITHIN_S = 20
TABLES = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'"
# Nobody needs this data after a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


@dataclass(frozen=True, slots=True)
class DebianPostgres:
    """A running server; anybody on this machine may connect, as the tests' throw-away data are nobody's secret."""

    port: int

    def url(self, database: str) -> str:
        return f"postgresql+asyncpg://postgres@{HERE}:{self.port}/{database}"

    async def connect(self, database: str) -> Any:
        return await asyncpg.connect(host=HERE, port=self.port, user="postgres", database=database)

    async def make(self, database: str) -> None:
        connection = await self.connect("postgres")
        try:
            await connection.execute(f'CREATE DATABASE "{database}"')
        finally:
            await connection.close()

    async def everything_in(self, database: str) -> str:
        """All that is in any table of a database, as text."""
        connection = await self.connect(database)
        try:
            tables = await connection.fetch(TABLES)
            rows = [await connection.fetch(f"SELECT t::text FROM {name} t") for (name,) in tables]
        finally:
            await connection.close()
        return "\n".join(str(row[0]) for found in rows for row in found)


@pytest.fixture(scope="session")
def debian_postgres() -> Iterator[DebianPostgres]:
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[DebianPostgres]:
    programs = found()
    # Right under the temporary folder: a socket's path may not be longer than about a hundred characters.
    room = Path(tempfile.mkdtemp(prefix="cutover-debian-"))
    try:
        _own(room)
        with (room / "log").open("ab") as log:
            _made(programs, room, log)
            with _served(programs, room, log) as server:
                yield server
    finally:
        shutil.rmtree(room, ignore_errors=True)


def found() -> Path:
    """The programs of the newest version that has what Prefect needs. Fails with what installs them."""
    versions = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]), reverse=True)
    whole = [path.parent for path in versions if (EXTENSIONS / path.parts[-3] / "extension/pg_trgm.control").exists()]
    assert whole, f"there is no PostgreSQL with pg_trgm under {PROGRAMS}; `make programs` installs it"
    return whole[0]


def _own(room: Path) -> None:
    user = _user()
    if user is not None:
        os.chown(room, user.pw_uid, user.pw_gid)


def _user() -> pwd.struct_passwd | None:
    """Who the server runs as: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name: one for one in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


def _start(command: list[str], room: Path, log: Any) -> "subprocess.Popen[bytes]":
    user = _user()
    return subprocess.Popen(
        command,
        cwd=room,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=user.pw_uid if user is not None else None,
        group=user.pw_gid if user is not None else None,
        extra_groups=[] if user is not None else None,
    )


def _made(programs: Path, room: Path, log: Any) -> None:
    how = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
    child = _start([str(programs / "initdb"), "-D", str(room / "data"), *how], room, log)
    assert child.wait(READY_WITHIN_S) == 0, f"initdb: {last_line(room / 'log')}"


@contextmanager
def _served(programs: Path, room: Path, log: Any) -> Iterator[DebianPostgres]:
    port = free_port()
    told = [
        f"listen_addresses={HERE}",
        f"port={port}",
        f"unix_socket_directories={room}",
        "max_connections=200",
        *QUICK,
    ]
    settings = [word for one in (*told, *QUICK) for word in ("-c", one)]
    child = _start([str(programs / "postgres"), "-D", str(room / "data"), *settings], room, log)
    try:
        server = DebianPostgres(port)
        _ready(child, server, room)
        yield server
    finally:
        _end(child)


def _ready(child: "subprocess.Popen[bytes]", server: DebianPostgres, room: Path) -> None:
    until = time.monotonic() + READY_WITHIN_S
    while child.poll() is None and time.monotonic() < until:
        try:
            asyncio.run(_greeted(server))
        except (OSError, asyncpg.PostgresError):
            time.sleep(0.1)
        else:
            return
    raise AssertionError(f"PostgreSQL did not come up: {last_line(room / 'log')}")


async def _greeted(server: DebianPostgres) -> None:
    await (await server.connect("postgres")).close()


def _end(child: "subprocess.Popen[bytes]") -> None:
    """A fast shutdown (SIGINT ends sessions, then the server); a hard end where it does not come."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
