"""What a worker keeps of a number between two steps is what the database has, and no longer kept once it may not be."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from migration.app import App
from migration.engine.executor import StepExecutor
from migration.engine.kept_numbers import KeptNumbers
from migration.engine.runner import NumberRunner
from migration.engine.step_run import StepRun
from migration.operations.numbers import hold_number, record_onprem_off
from migration.operations.profiles import renew_profile
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.steps.both_sides import read_sides
from migration.steps.number import Number
from migration.steps.outcomes import Waiting
from state.enums import Party
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from state.rows import Lease, Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.scenarios import BACK, SCENARIOS

NO_TIME = timedelta(seconds=0.5)


class WatchedNumbers(KeptNumbers):
    """Remembers what was kept last, and how often it was used."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Number | None = None
        self.used = 0

    def keep(self, run: StepRun, move: Move, at: datetime) -> None:
        super().keep(run, move, at)
        kept = self._kept.get(run.lease.migration_id)
        self.last = kept.number if kept is not None else None

    def take(self, lease: Lease, version: int) -> Number | None:
        number = super().take(lease, version)
        self.used += number is not None
        return number


@asynccontextmanager
async def watching(harness: Harness) -> AsyncIterator[tuple[App, WatchedNumbers]]:
    """A worker whose kept numbers can be looked at."""
    async with harness.worker() as app:
        kept = WatchedNumbers()
        executor = StepExecutor(
            app.ledger,
            app.queries,
            app.loader,
            app.secret_store,
            app.clock,
            app.holder,
            read_sides,
            app.stop,
            app.admission,
            kept,
        )
        yield replace(app, executor=executor, runner=NumberRunner(executor, app.clock, app.stop)), kept


async def _same_as_loaded_anew(app: App, kept: Number, position: Position) -> None:
    """Asserts that what was kept is what a worker would read now that knows nothing of the number."""
    fresh = await app.loader.load(position, app.clock.now())
    assert kept.results == fresh.results
    assert kept.notes == fresh.notes
    assert (kept.code, kept.code_refused_at) == (fresh.code, fresh.code_refused_at)
    assert kept.facts == fresh.facts
    assert (kept.onprem is None, kept.hooks is None) == (fresh.onprem is None, fresh.hooks is None)
    assert await app.queries.records.open_attempt(position.migration_id) is None


async def _step(harness: Harness, app: App, position: Position) -> None:
    outcome = await app.runner.run_step(position.migration_id)
    by_customer = isinstance(outcome, Waiting) and outcome.on is Party.CUSTOMER
    if isinstance(outcome, Waiting) and not (by_customer and await harness.enter_newest_code(app, position)):
        harness.clock.advance(max((outcome.until - harness.clock.now()).total_seconds(), 0.1))


ITINERARIES = ["open, with backup", "closing, code first", "closing, code after", "open, back by code"]


@pytest.mark.parametrize("name", ITINERARIES)
async def test_what_is_kept_is_what_the_database_has(make_harness: MakeHarness, name: str) -> None:
    scenario = SCENARIOS[name]
    harness = await make_harness(kinds=[scenario.kind], world=scenario.world, switches=scenario.switches)
    async with watching(harness) as (app, kept):
        (position,) = await harness.import_numbers(app, **scenario.columns)
        if scenario.after == BACK:
            await harness.run_number(app, position.ref)
            position = await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
        kept.used = 0
        for _ in range(100):
            await _step(harness, app, position)
            position = await app.queries.positions.get(position.migration_id)
            if position.ended_at is not None:
                break
            if kept.last is not None:
                await _same_as_loaded_anew(app, kept.last, position)
        assert position.ended_at is not None
    assert kept.used >= 5  # most steps read nothing anew


async def _new_fact(app: App, _position: Position) -> None:
    await app.ledger.field_facts.record("onprem_registration", "open", "tried", "tester")


DOORS: dict[str, Callable[[App, Position], Awaitable[object]]] = {
    "a hold": lambda app, position: hold_number(app, position.ref, "tester"),
    "a fact": _new_fact,
    "a new token": lambda app, position: renew_profile(app, position.profile),
    "a statement": lambda app, position: record_onprem_off(app, position.ref, "it was wiped", "tester"),
    "a note of preflight": lambda app, position: app.ledger.findings.record_note(position.migration_id, "x", {"a": 1}),
    "a wave": lambda app, position: app.ledger.waves.create(NewWave("north"), [position.migration_id]),
    "another worker": lambda app, position: app.ledger.leases.acquire(position.migration_id, "other", NO_TIME),
}


@pytest.mark.parametrize("door", DOORS)
async def test_whatever_arrives_for_a_number_has_it_read_anew(make_harness: MakeHarness, door: str) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with watching(harness) as (app, kept):
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "secure_pin")
        used = kept.used
        await app.runner.run_step(position.migration_id)
        assert kept.used == used + 1
        await DOORS[door](app, position)
        harness.clock.advance(1)
        await app.runner.run_step(position.migration_id)
        assert kept.used == used + 1
