"""A wait is kept, whoever comes by sooner, and by the database's clock, whatever a worker's own one says."""

from datetime import datetime, timedelta

import pytest

from migration.engine.runner import NumberRunner
from migration.steps.outcomes import Advanced, Blocked, Waiting
from state.enums import Status
from tests.harness.in_process import Harness, MakeHarness


@pytest.mark.parametrize(
    ("kind", "step", "code", "subcode"),
    [("healthy", "register", 133015, None), ("dark", "request_code", 136024, 2388367)],
)
async def test_a_refusal_to_be_waited_out_is_met_once_however_often_the_run_is_pressed(
    make_harness: MakeHarness, kind: str, step: str, code: int, subcode: int | None
) -> None:
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, step)
        harness.sandbox.faults.add(
            route=step, e164=None, kind="error", code=code, subcode=subcode, details="later", times=0
        )
        first = await app.runner.run_one(at.migration_id)
        assert isinstance(first, Waiting)
        for _ in range(5):
            harness.clock.advance(1)
            assert await app.runner.run_one(at.migration_id) == first
        assert harness.mutations(at).count(step) == 1
        at = await app.queries.positions.get(at.migration_id)
        assert (at.status, at.waiting_until) == (Status.WAITING, first.until)
        await app.ledger.operator_changes.retry(at.migration_id, "a person knows better", "tester")
        await app.runner.run_one(at.migration_id)
    assert harness.mutations(at).count(step) == 2


async def test_what_a_person_has_looked_at_again_is_given_as_much_time_as_at_first(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["callbacks_stuck"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        for _ in range(2):
            began, calls = harness.clock.now(), len(harness.sandbox.world.calls)
            outcome = await harness.run_number(app, at.ref)
            assert isinstance(outcome, Blocked)
            assert outcome.runbook == "runbooks/callbacks-do-not-drain.md"
            assert harness.clock.now() - began > timedelta(minutes=10)
            reads = [call for call in harness.sandbox.world.calls[calls:] if call.call == "get.number"]
            assert len(reads) < 80  # of the 200 calls an hour that a WABA without traffic has
            await app.ledger.operator_changes.retry(at.migration_id, "the receiver is mended", "tester")


class Skewed:
    """A worker's clock that is not the database's."""

    def __init__(self, harness: Harness, ahead: float) -> None:
        self._rig = harness
        self._ahead = timedelta(seconds=ahead)
        self.slept = 0

    def now(self) -> datetime:
        return self._rig.clock.now() + self._ahead

    def boot(self) -> float:
        return self._rig.clock.boot()

    async def sleep(self, seconds: float) -> None:
        self.slept += 1
        self._rig.clock.advance(seconds)


@pytest.mark.parametrize("ahead", [-60.0, 0.0, 60.0])
async def test_a_worker_whose_clock_is_wrong_waits_as_long_as_any_other(
    make_harness: MakeHarness, ahead: float
) -> None:
    """Reads lag for 20 s. A clock ahead asked without a pause; one behind left a dark number after its first wait."""
    harness = await make_harness(kinds=["no_backup"], switches={"read_lag_s": 20})
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "deregister_onprem")
    clock = Skewed(harness, ahead)
    async with harness.worker(clock=clock) as app:
        before = len(harness.sandbox.world.calls)
        outcome = await NumberRunner(app.executor, clock).run_one(at.migration_id)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
    assert 10 <= clock.slept <= 30
    assert len(harness.sandbox.world.calls) - before < 120
