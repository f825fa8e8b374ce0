"""A wait is observed by every run, and by the database's clock, whatever the worker's clock shows."""

from datetime import datetime, timedelta

import pytest

from migration.engine.runner import NumberRunner
from migration.steps.code_requests import TOO_MANY
from migration.steps.outcomes import Advanced, Blocked, Waiting
from state.enums import Status
from tests.harness.in_process import Harness, MakeHarness


@pytest.mark.parametrize(
    ("kind", "step", "error_code", "error_subcode"),
    [("healthy", "register", 133015, None), ("dark", "request_code", 136024, 2388367)],
)
async def test_a_call_refused_with_a_wait_is_not_repeated_before_the_wait_ends(
    make_harness: MakeHarness, kind: str, step: str, error_code: int, error_subcode: int | None
) -> None:
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, step)
        harness.sandbox.faults.add(
            route=step, e164=None, kind="error", code=error_code, subcode=error_subcode, details="later", times=0
        )
        first = await app.runner.run_one(position.migration_id)
        assert isinstance(first, Waiting)
        for _ in range(5):
            harness.clock.advance(1)
            assert await app.runner.run_one(position.migration_id) == first
        assert harness.mutations(position).count(step) == 1
        position = await app.queries.positions.get(position.migration_id)
        assert (position.status, position.waiting_until) == (Status.WAITING, first.until)
        await app.ledger.operator_changes.retry(position.migration_id, "a person knows better", "tester")
        await app.runner.run_one(position.migration_id)
    # Codes cool down whatever a person thinks: each further call lengthens the block.
    assert harness.mutations(position).count(step) == (1 if error_subcode == TOO_MANY else 2)


async def test_a_number_resumed_by_an_operator_gets_the_full_time_again(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["callbacks_stuck"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        for _ in range(2):
            began, calls = harness.clock.now(), len(harness.sandbox.world.calls)
            outcome = await harness.run_number(app, position.ref)
            assert isinstance(outcome, Blocked)
            assert outcome.runbook == "runbooks/callbacks-do-not-drain.md"
            assert harness.clock.now() - began > timedelta(minutes=10)
            reads = [call for call in harness.sandbox.world.calls[calls:] if call.call == "get.number"]
            assert len(reads) < 80  # of the 200 calls an hour that a WABA without traffic has
            await app.ledger.operator_changes.retry(position.migration_id, "the receiver is mended", "tester")


class SkewedClock:
    """A worker's clock that differs from the database's by `ahead` seconds."""

    def __init__(self, harness: Harness, ahead: float) -> None:
        self._harness = harness
        self._ahead = timedelta(seconds=ahead)
        self.sleeps = 0

    def now(self) -> datetime:
        return self._harness.clock.now() + self._ahead

    def boot_time(self) -> float:
        return self._harness.clock.boot_time()

    async def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self._harness.clock.advance(seconds)


@pytest.mark.parametrize("ahead", [-60.0, 0.0, 60.0])
async def test_a_worker_with_a_wrong_clock_waits_as_long_as_any_other(make_harness: MakeHarness, ahead: float) -> None:
    """Reads lag for 20 s. A clock ahead once read without a pause; a clock behind left a dark number after one wait."""
    harness = await make_harness(kinds=["no_backup"], switches={"read_lag_s": 20})
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "deregister_onprem")
    clock = SkewedClock(harness, ahead)
    async with harness.worker(clock=clock) as app:
        before = len(harness.sandbox.world.calls)
        outcome = await NumberRunner(app.executor, clock, app.stop).run_one(position.migration_id)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
    assert 10 <= clock.sleeps <= 30
    assert len(harness.sandbox.world.calls) - before < 120
