"""A database that an older release made, and the sandbox's world at the moment when it was left.

A scene is a folder under `old_databases/<release>`; its README says what each file is. The database comes back from its
SQL text, the world by sending the recorded requests again to a sandbox with the same seed, at the recorded times.
"""

import asyncio
import base64
import gzip
import hashlib
import hmac
import io
import json
import sqlite3
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, MetaData, func, insert, null, select, text
from sqlalchemy.ext.asyncio import create_async_engine

from migration.runtime.file_access import our_access
from migration.settings import Settings
from sandbox.app import Sandbox
from state import schema
from tests.harness.clock import FakeClock
from tests.harness.in_process import Harness

FOLDER = Path(__file__).resolve().parent / "old_databases"
SCENES = sorted(str(path.parent.relative_to(FOLDER)) for path in FOLDER.glob("*/*/scene.json"))
BASE = "http://sandbox"


class OldDatabase:
    """One scene. `numbers`: each number's reference, where it was left, and how it has to end."""

    def __init__(self, name: str) -> None:
        self._folder = FOLDER / name
        scene = json.loads((self._folder / "scene.json").read_text())
        self.revision: str = scene["revision"]
        self.numbers: list[dict[str, Any]] = scene["numbers"]
        self._scene: dict[str, Any] = scene

    # -- the database

    def restore_sqlite(self, path: Path) -> str:
        """The URL of the SQLite database as the release left it."""
        with sqlite3.connect(path) as connection:
            connection.executescript(self._text("database.sql.gz"))
        connection.close()
        return f"sqlite+aiosqlite:///{path}"

    async def copy_to_postgres(self, sqlite_url: str, postgres_url: str) -> None:
        """Make the tables of the release's revision in an empty PostgreSQL database and fill them with its rows."""
        await schema.upgrade(postgres_url, self.revision)
        source, target = create_async_engine(sqlite_url), create_async_engine(postgres_url)
        try:
            async with source.connect() as reader, target.begin() as writer:
                rows = await reader.run_sync(_rows_of_all_tables)
                await writer.run_sync(_insert_all, rows)
        finally:
            await source.dispose()
            await target.dispose()

    # -- the world

    async def restore_world(self, database_url: str, home: Path) -> Harness:
        """The harness as it stood: admin file and backups in `home`, the clock, and a sandbox in the same state."""
        await asyncio.to_thread(self._unpack_home, home)
        clock = FakeClock(datetime.fromisoformat(self._scene["start"]))
        sandbox = Sandbox.from_scenario(self._folder / "scenario.yaml", now=clock.now)
        await self._replay(sandbox, clock)
        _set(clock, self._scene["now"])
        settings = Settings(home=home, database_url=database_url, graph_url=BASE)
        # Workers are counted on: each draws other random bytes than those that the release's workers drew.
        return Harness(sandbox, clock, settings, home, workers=self._scene["workers"], seed=self._scene["seed"])

    async def _replay(self, sandbox: Sandbox, clock: FakeClock) -> None:
        """Send every recorded request again, at its time. Its status has to be the recorded one."""
        async with httpx.AsyncClient(transport=sandbox.transport(), base_url=BASE) as client:
            for place, line in enumerate(self._text("calls.jsonl.gz").splitlines(), 1):
                call = json.loads(line)
                _set(clock, call["at"])
                if "x-cutover-signature-256" in call["headers"]:
                    _sign_again(call, sandbox.world.hook.secret)
                status = await _status(client, call)
                where = f"request {place}, {call['method']} {call['url']}"
                assert status == call["status"], f"{where}: status {status}, recorded was {call['status']}"
            world = (await client.get("/_sandbox/world")).json()["numbers"]
        names = self._scene["world"][0]
        assert [{name: row[name] for name in names} for row in world] == self._scene["world"]

    def _unpack_home(self, home: Path) -> None:
        home.mkdir()
        content = gzip.decompress((self._folder / "home.tar.gz").read_bytes())
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            tar.extractall(home, filter="data")
        our_access().repair(home.rglob("*"))  # as `cutover init` does it, which the update of a home asks for

    def _text(self, name: str) -> str:
        return gzip.decompress((self._folder / name).read_bytes()).decode()


async def _status(client: httpx.AsyncClient, call: dict[str, Any]) -> int:
    """Of the answer; 0 where the connection ended without one."""
    body = base64.b64decode(call["body"])
    try:
        response = await client.request(call["method"], call["url"], headers=call["headers"], content=body)
    except httpx.TransportError:
        return 0
    return response.status_code


def _sign_again(call: dict[str, Any], secret: str) -> None:
    """As today's release signs: an older one did not cover time and key."""
    key = call["headers"]["idempotency-key"]
    signed = f"0.{key}.".encode() + base64.b64decode(call["body"])
    signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    call["headers"] |= {"x-cutover-timestamp": "0", "x-cutover-signature-256": f"sha256={signature}"}


def _set(clock: FakeClock, time: str) -> None:
    clock.advance((datetime.fromisoformat(time) - clock.now()).total_seconds())


def _reflected(connection: Connection) -> MetaData:
    """The tables as the database has them: those of an old revision, not the models of today."""
    tables = MetaData()
    tables.reflect(connection)
    return tables


def _rows_of_all_tables(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    tables = _reflected(connection).sorted_tables
    return {
        table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
        for table in tables
        if table.name != "alembic_version"
    }


def _insert_all(connection: Connection, rows: dict[str, list[dict[str, Any]]]) -> None:
    for table in _reflected(connection).sorted_tables:
        if not rows.get(table.name):
            continue
        values = [{name: _value(value) for name, value in row.items()} for row in rows[table.name]]
        for row in values:
            connection.execute(insert(table).values(**row))
        if "id" in table.c:
            sequence = func.pg_get_serial_sequence(text(f"'{table.name}'"), text("'id'"))
            connection.execute(select(func.setval(sequence, select(func.max(table.c.id)).scalar_subquery())))


def _value(value: Any) -> Any:
    if value is None:
        return null()  # for a JSON column too, where None would be JSON's own null
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)  # SQLite keeps no zone; every time of ours is UTC
    return value
