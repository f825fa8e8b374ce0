"""What a worker keeps of a number between two steps is what the database has, and no longer kept once it may not be."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from migration.app import App
from migration.engine.executor import StepExecutor
from migration.engine.kept_numbers import BEGINS_WITHIN_S, KeptNumbers
from migration.engine.runner import NumberRunner
from migration.engine.step_run import StepRun
from migration.operations.numbers import hold_number, record_onprem_off
from migration.operations.profile_renewal import renew_profile
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.steps.both_sides import read_sides
from migration.steps.number import Number
from migration.steps.outcomes import Waiting
from migration.steps.reading_cache import ReadingCache
from migration.waves.proofs import apply_webhooks
from state.enums import Party, Status
from state.errors import LeaseLost
from state.ledger.changes import ProfileHalted
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from state.ledger.webhooks import WebhookUpdate
from state.rows import Lease, Position
from tests.harness.in_process import Harness, MakeHarness
from tests.harness.scenarios import BACK, SCENARIOS, Scenario

NO_TIME = timedelta(seconds=0.5)


class WatchedNumbers(KeptNumbers):
    """Remembers what was kept last, and how often it was used."""

    def __init__(self, boot_time: Callable[[], float]) -> None:
        super().__init__(boot_time)
        self.last: Number | None = None
        self.used = 0

    def keep(self, run: StepRun, move: Move, at: datetime, columns: Mapping[str, Any]) -> None:
        run.number.reading_cache.secrets["mark"] = None  # something was read in this pass
        super().keep(run, move, at, columns)
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
        kept = WatchedNumbers(app.clock.boot_time)
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


async def _begun(harness: Harness, app: App, scenario: Scenario) -> Position:
    """The number of the scenario before the first step of its last itinerary."""
    (position,) = await harness.import_numbers(app, **scenario.columns)
    if scenario.after == BACK:
        await harness.run_number(app, position.ref)
        position = await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
    return position


async def _steps(harness: Harness, app: App, position: Position, *, goes_on: bool = False) -> AsyncIterator[Position]:
    """The number as the database has it after each step but the last. Fails where it does not come to its end."""
    for _ in range(100):
        await _step(harness, app, position, goes_on=goes_on)
        position = await app.queries.positions.get(position.migration_id)
        if position.ended_at is not None:
            return
        yield position
    raise AssertionError("the number has not ended after 100 steps")


async def _step(harness: Harness, app: App, position: Position, *, goes_on: bool) -> None:
    """`goes_on`: by a worker that takes the number for its next step too."""
    outcome = await app.runner.run_step(position.migration_id, goes_on=goes_on)
    by_customer = isinstance(outcome, Waiting) and outcome.on is Party.CUSTOMER
    if isinstance(outcome, Waiting) and not (by_customer and await harness.enter_newest_code(app, position)):
        harness.clock.advance(max((outcome.until - harness.clock.now()).total_seconds(), 0.1))


ITINERARIES = ["open, with backup", "closing, code first", "closing, code after", "open, back by code"]


@pytest.mark.parametrize("name", ITINERARIES)
async def test_what_is_kept_is_what_the_database_has(make_harness: MakeHarness, name: str) -> None:
    scenario = SCENARIOS[name]
    harness = await make_harness(kinds=[scenario.kind], world=scenario.world, switches=scenario.switches)
    async with watching(harness) as (app, kept):
        begun = await _begun(harness, app, scenario)
        kept.used = 0
        async for position in _steps(harness, app, begun):
            if kept.last is not None:
                await _same_as_loaded_anew(app, kept.last, position)
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


async def test_a_pin_that_is_changed_while_a_call_is_out_is_not_sent(make_harness: MakeHarness) -> None:
    """What a call was answered is recorded all the same, and the number is read anew before its next step."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")

        async def change(request: httpx.Request) -> None:
            if b'"pause_sends"' in request.content:
                harness.before_answer = None
                harness.sandbox_number(position).pin = "000001"
                now = int(harness.clock.now().timestamp()) + 1
                of = (position.profile, harness.sandbox.manifest()["app_id"], position.waba_id)
                facts: dict[str, Any] = {"event": "PIN_CHANGED", "at": now}
                told = WebhookUpdate(*of, position.phone_number_id, None, "security", "change", None, facts)
                assert (await app.ledger.webhooks.store([told])).stored == 1
                await apply_webhooks(app)

        harness.before_answer = change
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
    assert harness.sandbox_number(position).wrong_pins == 0, position.reason


# -- the lease that a step's write takes for the next one


@pytest.mark.parametrize("name", ITINERARIES)
async def test_the_row_that_is_kept_is_the_row_of_the_database(make_harness: MakeHarness, name: str) -> None:
    scenario = SCENARIOS[name]
    harness = await make_harness(kinds=[scenario.kind], world=scenario.world, switches=scenario.switches)
    async with watching(harness) as (app, kept):
        begun = await _begun(harness, app, scenario)
        compared = 0
        async for position in _steps(harness, app, begun, goes_on=True):
            entry = kept.look_at(position.migration_id)
            if entry is not None and entry.lease is None:
                assert entry.state in (None, position)  # it waits, or stands at its gate
                compared += entry.state is not None
            if entry is not None and entry.lease is not None:
                assert (entry.lease.fence, entry.lease.version) == (position.fence, position.version)
                if not entry.before:  # else steps are done that the database learns with the next write
                    assert entry.state in (None, position)
                    compared += entry.state is not None
    assert compared >= 7


async def _two_steps(make_harness: MakeHarness, between: Callable[[App, Position], Awaitable[object]]) -> Position:
    """A step that takes the number for the next one, something in between, and that next step."""
    harness = await make_harness(kinds=["healthy"])
    async with watching(harness) as (app, _):
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "secure_pin")
        await app.runner.run_step(position.migration_id, goes_on=True)
        held = await app.queries.positions.get(position.migration_id)
        assert (held.status, held.lease_holder, held.next_step) == (Status.RUNNING, app.holder, "back_up")
        await between(app, held)
        await app.runner.run_step(position.migration_id)
        return await app.queries.positions.get(position.migration_id)


async def test_nobody_else_takes_a_number_between_two_steps_of_a_run(make_harness: MakeHarness) -> None:
    async def another(app: App, position: Position) -> None:
        with pytest.raises(LeaseLost):
            await app.ledger.leases.acquire(position.migration_id, "other", NO_TIME)

    after = await _two_steps(make_harness, another)
    assert (after.next_step, after.lease_until) == ("subscribe", None)


async def test_what_is_late_of_the_step_before_changes_nothing(make_harness: MakeHarness) -> None:
    """The same worker holds the number under a new lease; the earlier one counts no more."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert position.next_step is not None
        earlier = await app.ledger.leases.acquire(position.migration_id, app.holder, NO_TIME)
        done = Move(position.next_step, Status.READY, "")
        await app.ledger.moves.record_and_keep(earlier, done, timedelta(seconds=30))
        held = await app.queries.positions.get(position.migration_id)
        await app.ledger.leases.give_back(earlier)
        with pytest.raises(LeaseLost):
            await app.ledger.moves.record(earlier, done)
        assert await app.queries.positions.get(position.migration_id) == held


async def test_a_hold_between_two_steps_of_a_run_is_seen(make_harness: MakeHarness) -> None:
    after = await _two_steps(make_harness, lambda app, position: hold_number(app, position.ref, "tester"))
    assert (after.hold, after.next_step) == (True, "subscribe")


async def test_a_number_that_is_not_gone_on_with_is_given_up(make_harness: MakeHarness) -> None:
    async def let_go(app: App, position: Position) -> None:
        await app.runner.let_go(position.migration_id)
        free = await app.queries.positions.get(position.migration_id)
        assert (free.status, free.lease_until) == (Status.READY, None)
        await app.ledger.leases.acquire(position.migration_id, "other", NO_TIME)
        await app.ledger.leases.end_all_of("other")

    assert (await _two_steps(make_harness, let_go)).next_step == "subscribe"


async def test_a_lease_that_was_taken_a_while_ago_is_taken_anew(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "secure_pin")
        await app.runner.run_step(position.migration_id, goes_on=True)
        before = (await app.queries.positions.get(position.migration_id)).fence
        harness.clock.advance(BEGINS_WITHIN_S + 1)
        await app.runner.run_step(position.migration_id)
        assert (await app.queries.positions.get(position.migration_id)).fence == before + 1


@pytest.mark.parametrize("given_up", [False, True], ids=["late", "let go"])
async def test_what_was_read_outlives_a_lease_that_nobody_else_has_had(
    make_harness: MakeHarness, given_up: bool
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with watching(harness) as (app, kept):
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "secure_pin")
        await app.runner.run_step(position.migration_id, goes_on=True)
        used = kept.used
        if given_up:
            await app.runner.let_go(position.migration_id)
        else:
            harness.clock.advance(BEGINS_WITHIN_S + 1)
        await app.runner.run_step(position.migration_id)
        assert kept.used == used + 1


async def test_a_number_that_waits_for_a_moment_is_kept_without_its_readings(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with watching(harness) as (app, kept):
        (position,) = await harness.import_numbers(app, hook="senders")
        position = await harness.advance_to(app, position, "drain")
        outcome = await app.runner.run_step(position.migration_id)
        assert isinstance(outcome, Waiting)
        assert kept.last is not None
        assert kept.last.reading_cache == ReadingCache()
        used, harness_now = kept.used, harness.clock.now()
        harness.clock.advance((outcome.until - harness_now).total_seconds())
        await app.runner.run_step(position.migration_id)
        assert kept.used == used + 1


async def test_no_number_is_kept_while_it_waits_for_room_at_its_gate(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        position = await harness.advance_to(app, position, "set_storage")
        await app.runner.run_step(position.migration_id, goes_on=True)
        at_gate = await app.queries.positions.get(position.migration_id)
        assert (at_gate.next_step, at_gate.lease_until) == ("pause_sends", None)


async def test_a_profile_that_is_halted_has_its_other_numbers_read_anew(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy", "healthy"])
    async with harness.worker() as app:
        first, second = await harness.import_numbers(app)
        lease = await app.ledger.leases.acquire(first.migration_id, "w", timedelta(seconds=30))
        halted = ProfileHalted(first.profile_id, "its token was refused")
        await app.ledger.moves.record(lease, Move("snapshot", Status.HELD, "held", changes=(halted,)))
        assert (await app.queries.positions.get(second.migration_id)).version == second.version + 1
