"""Whole migrations with every logger at DEBUG: no secret in a log record, a plain row, an event or an error."""

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from migration.preflight.assessment import run_preflight
from state.models import Base
from tests.harness.in_process import Harness, MakeHarness

Records = list[str]


class RecordKeeper(logging.Handler):
    """Keeps each record as text, with its arguments and its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: Records = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(f"{record.name}: {record.getMessage()} {record.args!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self.records.append("".join(traceback.format_exception(record.exc_info[1])))


@pytest.fixture
def logged() -> Iterator[Records]:
    """Sets every logger to DEBUG for the test; gives the records as text."""
    handler = RecordKeeper()
    root = logging.getLogger()
    loggers = [root, *(logger for logger in root.manager.loggerDict.values() if isinstance(logger, logging.Logger))]
    before = [(logger, logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
    root.addHandler(handler)
    yield handler.records
    root.removeHandler(handler)
    for logger, level, disabled in before:
        logger.setLevel(level)
        logger.disabled = disabled


class SecretCollector:
    """Collects every secret that is sent in either direction."""

    NAMES = ("pin", "password", "data", "code", "token")

    def __init__(self, harness: Harness) -> None:
        manifest = harness.sandbox.manifest("http://sandbox.localhost")
        self.secrets = {manifest["token"], manifest["app_secret"], manifest["hook_secret"]}
        self.secrets |= {
            number[field] for number in manifest["numbers"] for field in ("password", "pin") if number[field]
        }
        self._handle = harness.sandbox.handle
        harness.sandbox.handle = self.handle  # type: ignore[method-assign]

    def handle(self, request: Any) -> Any:
        response = self._handle(request)
        for raw in (request.body, response.body):
            try:
                self.collect(json.loads(raw or b"null"))
            except ValueError:
                continue
        return response

    def collect(self, document: Any) -> None:
        if isinstance(document, dict):
            for name, item in document.items():
                if name in self.NAMES and isinstance(item, str) and len(item) >= 6:
                    self.secrets.add(item)
                self.collect(item)
        for element in document if isinstance(document, list) else ():
            self.collect(element)

    def leaks_in(self, texts: Records) -> list[tuple[str, str]]:
        return [(secret, text[:200]) for text in texts for secret in self.secrets if secret in text]


async def all_rows(app: Any) -> Records:
    """Every row of every table as text: what a copy of the database reveals."""
    async with app.database.connect() as connection:
        return [
            f"{name}: {tuple(row)!r}"
            for name, table in Base.metadata.tables.items()
            for row in (await connection.execute(select(table))).all()
        ]


@pytest.mark.parametrize("kind", ["healthy", "no_backup"])
async def test_a_whole_migration_leaks_no_secret(make_harness: MakeHarness, logged: Records, kind: str) -> None:
    harness = await make_harness(kinds=[kind])
    collector = SecretCollector(harness)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        reports = await run_preflight(app, [position])
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        view = await app.loader.load(position, harness.clock.now())
        representations = [
            repr(reports),
            repr(position),
            repr(view),
            repr(app.settings),
            repr(app.admin),
            repr(view.cloud),
        ]
        representations += [
            repr(vars(app.secret_store)),
            repr(app.clients),
            repr(await app.queries.records.events(position.migration_id)),
        ]
        database_rows = await all_rows(app)
    assert position.side == "cloud"
    assert len(collector.secrets) >= 6, "too few secrets were collected"
    assert len(logged) > 100
    assert collector.leaks_in(logged) == []
    assert collector.leaks_in(representations) == []
    assert collector.leaks_in([row for row in database_rows if not row.startswith("secrets:")]) == []
    assert collector.leaks_in(database_rows) == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["lost_answer", "500", "html", "truncated", "reset_before", "429"])
async def test_no_error_has_a_secret(sqlite_url: str, tmp_path: Any, logged: Records, fault: str) -> None:
    from tests.harness.in_process import build_harness

    harness = await build_harness(tmp_path / "home", sqlite_url)
    collector = SecretCollector(harness)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        for call in ("onprem.two_step", "onprem.backup", "register", "messages", "subscribe"):
            harness.sandbox.faults.add(call, fault)
        await harness.run_number(app, position.ref)
        events = [repr(event) for event in await app.queries.records.events(position.migration_id)]
        database_rows = await all_rows(app)
    assert collector.leaks_in(logged) == []
    assert collector.leaks_in(events + database_rows) == []
