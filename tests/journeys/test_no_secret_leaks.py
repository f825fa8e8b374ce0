"""Whole numbers with every logger at DEBUG: no secret is in a record, a row in the clear, an event or an error."""

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


class Everything(logging.Handler):
    """Keeps each record as text, with its arguments and its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: Records = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(f"{record.name}: {record.getMessage()} {record.args!r}")
        if record.exc_info and record.exc_info[1] is not None:
            self.told.append("".join(traceback.format_exception(record.exc_info[1])))


@pytest.fixture
def logged() -> Iterator[Records]:
    """Every logger there is at DEBUG, for the length of a test."""
    handler = Everything()
    root = logging.getLogger()
    loud = [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]
    before = [(one, one.level, one.disabled) for one in loud]
    for one in loud:
        one.setLevel(logging.DEBUG)
        one.disabled = False
    root.addHandler(handler)
    yield handler.told
    root.removeHandler(handler)
    for one, level, disabled in before:
        one.setLevel(level)
        one.disabled = disabled


class Spy:
    """Notes every secret that goes over the wire, in either direction."""

    NAMES = ("pin", "password", "data", "code", "token")

    def __init__(self, harness: Harness) -> None:
        told = harness.sandbox.manifest("http://sandbox")
        self.secrets = {told["token"], told["app_secret"], told["hook_secret"]}
        self.secrets |= {row[what] for row in told["numbers"] for what in ("password", "pin") if row[what]}
        self._handle = harness.sandbox.handle
        harness.sandbox.handle = self.handle  # type: ignore[method-assign]

    def handle(self, request: Any) -> Any:
        answer = self._handle(request)
        for raw in (request.body, answer.body):
            try:
                self.look(json.loads(raw or b"null"))
            except ValueError:
                continue
        return answer

    def look(self, told: Any) -> None:
        if isinstance(told, dict):
            for name, value in told.items():
                if name in self.NAMES and isinstance(value, str) and len(value) >= 6:
                    self.secrets.add(value)
                self.look(value)
        for one in told if isinstance(told, list) else ():
            self.look(one)

    def found_in(self, texts: Records) -> list[tuple[str, str]]:
        return [(secret, text[:200]) for text in texts for secret in self.secrets if secret in text]


async def rows(app: Any) -> Records:
    """Every row of every table, as text: what a copy of the database would give away."""
    async with app.database.connect() as connection:
        return [
            f"{name}: {tuple(row)!r}"
            for name, table in Base.metadata.tables.items()
            for row in (await connection.execute(select(table))).all()
        ]


@pytest.mark.parametrize("kind", ["healthy", "no_backup"])
async def test_a_whole_number_leaves_no_secret_anywhere(make_harness: MakeHarness, logged: Records, kind: str) -> None:
    harness = await make_harness(kinds=[kind])
    spy = Spy(harness)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        reports = await run_preflight(app, [at])
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        view = await app.loader.of(at, harness.clock.now())
        shown = [repr(reports), repr(at), repr(view), repr(app.settings), repr(app.admin), repr(view.cloud)]
        shown += [
            repr(vars(app.secret_store)),
            repr(app.clients),
            repr(await app.queries.records.events(at.migration_id)),
        ]
        kept = await rows(app)
    assert at.side == "cloud"
    assert len(spy.secrets) >= 6, "the spy saw too little to be worth anything"
    assert len(logged) > 100
    assert spy.found_in(logged) == []
    assert spy.found_in(shown) == []
    assert spy.found_in([row for row in kept if not row.startswith("secrets:")]) == []
    assert spy.found_in(kept) == []


@pytest.mark.parametrize("fault", ["lost_answer", "500", "html", "truncated", "reset_before", "429"])
async def test_no_error_carries_a_secret(sqlite_url: str, tmp_path: Any, logged: Records, fault: str) -> None:
    from tests.harness.in_process import build_harness

    harness = await build_harness(tmp_path / "home", sqlite_url)
    spy = Spy(harness)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        for call in ("onprem.two_step", "onprem.backup", "register", "messages", "subscribe"):
            harness.sandbox.faults.add(call, fault)
        await harness.run_number(app, at.ref)
        events = [repr(event) for event in await app.queries.records.events(at.migration_id)]
        kept = await rows(app)
    assert spy.found_in(logged) == []
    assert spy.found_in(events + kept) == []
