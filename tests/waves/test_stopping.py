"""A worker that was asked to stop: what it begins no more, what it finishes, and what it leaves behind."""

from datetime import timedelta

import pytest

from migration.runtime.stop_request import StopRequest
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side, Status
from tests.harness.crash_point import CrashPoint
from tests.harness.in_process import MakeHarness

SOON = timedelta(minutes=2)


@pytest.mark.parametrize("commit", range(1, 25))
async def test_what_has_crossed_is_finished_and_nothing_else_crosses(make_harness: MakeHarness, commit: int) -> None:
    """Stopped at each commit in turn: also between the intent of `register` and its call, which then never leaves."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders", start_command="start")
        sent_at_stop: list[str] = []

        def stop_at_commit() -> None:
            if harness.crash_point.commits == commit:
                sent_at_stop[:] = harness.mutations(position)
                harness.stop.request()

        harness.crash_point = CrashPoint(on_commit=stop_at_commit)
        await WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON).run(
            NumberSelection(only={position.migration_id})
        )
        left = await app.queries.positions.get(position.migration_id)
    sent = harness.mutations(position)
    assert harness.stop.requested
    assert left.lease_until is None, "the next worker takes it at once"
    if "register" in sent_at_stop:
        assert (left.status, left.side) == (Status.DONE, Side.CLOUD)
        return
    assert "register" not in sent
    assert (left.crossed_at, harness.sandbox_number(position).side) == (None, "on_premises")
    harness.stop, harness.crash_point = StopRequest(), CrashPoint()
    async with harness.worker() as app:
        await harness.run_number(app, position.ref)
        after = await app.queries.positions.get(position.migration_id)
    assert (after.status, after.side) == (Status.DONE, Side.CLOUD)
    assert harness.mutations(position).count("register") == 1


async def test_a_worker_that_was_stopped_before_it_began_touches_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        harness.stop.request()
        await WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON).run(NumberSelection())
        await app.runner.run_one(board[0].migration_id)
    assert all(harness.mutations(position) == [] for position in board)
