"""What `status` and `show` load and ask, in counts: a start and a list stay cheap as the fleet grows."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from migration.cli.status import read_fleet
from state.ledger.waves import NewWave
from tests.harness.ledger_fixture import LedgerFixture, open_ledger_fixture

# What a command that only reads has no use for; each takes 5 to 300 ms of CPU to load.
NOT_TO_READ = (
    "pydantic",
    "httpx",
    "rich",
    "prefect",
    "phonenumbers",
    "alembic",
    "cryptography",
    "sqlalchemy.dialects.postgresql",
    "state.ledger.ledger",
    "state.ledger.moves",
    "state.ledger.proofs",
    "html",
    "migration.vault.sealing",
    "migration.home.admin_file",
    "migration.engine.executor",
    "migration.clients.http",
)
RUN = """
import sys
from migration.cli.__main__ import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print("\\n".join(sys.modules), file=sys.stderr)
"""


def _cutover(home: Path, *arguments: str) -> set[str]:
    """The modules that a process with this command has loaded at its end."""
    environment = {"CUTOVER_HOME": str(home), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", RUN, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    return set(done.stderr.split())


@pytest.mark.parametrize("verb", [("status",), ("status", "--json"), ("show", "N-0001")], ids=" ".join)
def test_a_command_that_reads_loads_nothing_that_it_has_no_use_for(template: Path, verb: tuple[str, ...]) -> None:
    loaded = _cutover(template, *verb)
    assert "state.queries.positions" in loaded
    assert [name for name in NOT_TO_READ if name in loaded] == []


# -- statements


@pytest.fixture
async def fixture(sqlite_url: str) -> AsyncIterator[LedgerFixture]:
    async with open_ledger_fixture(sqlite_url) as opened:
        yield opened


async def _statements_of_status(fixture: LedgerFixture) -> int:
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(fixture.engine.sync_engine, "before_cursor_execute", note)
    await read_fleet(fixture.queries, None)
    event.remove(fixture.engine.sync_engine, "before_cursor_execute", note)
    return len(statements)


async def test_status_asks_the_same_of_few_numbers_as_of_many(fixture: LedgerFixture) -> None:
    """Also where there are more waves, more events and more paused senders."""
    await fixture.ledger.waves.create(NewWave("first"), [await fixture.import_number(index) for index in range(1, 4)])
    few = await _statements_of_status(fixture)
    moves = [await fixture.import_number(index) for index in range(10, 60)]
    for place in range(5):
        await fixture.ledger.waves.create(NewWave(f"wave {place}"), moves[10 * place : 10 * place + 10])
    await fixture.sql("UPDATE number_migrations SET paused_at = :at WHERE id > 40", at="2025-09-01 08:00:00.000000")
    assert await _statements_of_status(fixture) == few


async def test_no_statement_of_status_touches_the_events(fixture: LedgerFixture) -> None:
    await fixture.import_number(1)
    tables: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        tables.extend(re.findall(r"(?:FROM|JOIN) (\w+)", statement))

    event.listen(fixture.engine.sync_engine, "before_cursor_execute", note)
    await read_fleet(fixture.queries, None)
    assert "number_migrations" in tables
    assert not {"events", "attempts", "findings"} & set(tables)


def test_nothing_maps_rows_to_objects() -> None:
    """`sqlalchemy.orm.aliased` does not know our tables; `state.declaring` has one that does."""
    root = Path(__file__).parents[2]
    lines = [
        line
        for folder in ("state", "migration", "flows")
        for path in (root / folder).rglob("*.py")
        for line in path.read_text().splitlines()
        if "sqlalchemy.orm" in line
    ]
    assert lines == ["from sqlalchemy.orm import Mapped"]
