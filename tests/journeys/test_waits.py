"""A wait is kept, whoever comes by sooner, and by the database's clock, whatever a worker's own one says."""

from datetime import datetime, timedelta

import pytest

from migration.engine.runner import NumberRunner
from migration.steps.outcomes import Advanced, Blocked, Waiting
from state.enums import Status
from tests.conftest import MakeRig
from tests.harness.in_process import Rig


@pytest.mark.parametrize(
    ("kind", "step", "code", "subcode"),
    [("healthy", "register", 133015, None), ("dark", "request_code", 136024, 2388367)],
)
async def test_a_refusal_to_be_waited_out_is_met_once_however_often_the_run_is_pressed(
    rig: MakeRig, kind: str, step: str, code: int, subcode: int | None
) -> None:
    told = await rig(kinds=[kind])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, step)
        told.sandbox.faults.add(
            route=step, e164=None, kind="error", code=code, subcode=subcode, details="later", times=0
        )
        first = await app.runner.run_one(at.migration_id)
        assert isinstance(first, Waiting)
        for _ in range(5):
            told.clock.advance(1)
            assert await app.runner.run_one(at.migration_id) == first
        assert told.mutations(at).count(step) == 1
        at = await app.queries.position(at.migration_id)
        assert (at.status, at.waiting_until) == (Status.WAITING, first.until)
        await app.ledger.operator_changes.ready(at.migration_id, "a person knows better", "tester")
        await app.runner.run_one(at.migration_id)
    assert told.mutations(at).count(step) == 2


async def test_what_a_person_has_looked_at_again_is_given_as_much_time_as_at_first(rig: MakeRig) -> None:
    told = await rig(kinds=["callbacks_stuck"])
    async with told.worker() as app:
        (at,) = await told.imported(app)
        for _ in range(2):
            began, calls = told.clock.now(), len(told.sandbox.world.calls)
            outcome = await told.drive(app, at.ref)
            assert isinstance(outcome, Blocked)
            assert outcome.runbook == "runbooks/callbacks-do-not-drain.md"
            assert told.clock.now() - began > timedelta(minutes=10)
            reads = [call for call in told.sandbox.world.calls[calls:] if call.call == "get.number"]
            assert len(reads) < 80  # of the 200 calls an hour that a WABA without traffic has
            await app.ledger.operator_changes.ready(at.migration_id, "the receiver is mended", "tester")


class Skewed:
    """A worker's clock that is not the database's."""

    def __init__(self, rig: Rig, ahead: float) -> None:
        self._rig = rig
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
async def test_a_worker_whose_clock_is_wrong_waits_as_long_as_any_other(rig: MakeRig, ahead: float) -> None:
    """Reads lag for 20 s. A clock ahead asked without a pause; one behind left a dark number after its first wait."""
    told = await rig(kinds=["no_backup"], switches={"read_lag_s": 20})
    async with told.worker() as app:
        (at,) = await told.imported(app)
        at = await told.stand_at(app, at, "deregister_onprem")
    clock = Skewed(told, ahead)
    async with told.worker(clock=clock) as app:
        before = len(told.sandbox.world.calls)
        outcome = await NumberRunner(app.executor, clock).run_one(at.migration_id)
        assert isinstance(outcome, Advanced)
        assert outcome.ended
    assert 10 <= clock.slept <= 30
    assert len(told.sandbox.world.calls) - before < 120
