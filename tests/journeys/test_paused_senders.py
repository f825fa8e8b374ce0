"""Paused senders: renewed as long as their number needs it, and told to go on until they confirm it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from migration.app import App
from migration.engine.itineraries import ItineraryName
from migration.operations.numbers import abort, dispose, switch_itinerary
from migration.waves.senders import keep_senders_informed
from state.enums import Status
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

HOOK = {"hook": "senders", "start_command": "start"}


@asynccontextmanager
async def hook_that_loses_its_answers(harness: Harness) -> AsyncIterator[None]:
    """The hook does what it is asked, and nobody hears of it."""

    async def lose(request: httpx.Request) -> None:
        if "senders/hook" in request.url.path:
            raise httpx.ReadError("lost")

    harness.before_answer = lose
    try:
        yield
    finally:
        harness.before_answer = None


async def _until(harness: Harness, app: App, step: str, **columns: str) -> Position:
    (position,) = await harness.import_numbers(app, **HOOK, **columns)
    return await harness.advance_to(app, position, step)


async def _dark_before_its_code(harness: Harness, app: App) -> Position:
    (position,) = await harness.import_numbers(app, **HOOK)
    if position.itinerary != ItineraryName.CODE_AFTER:
        position = await switch_itinerary(app, position.ref, "CODE_AFTER", "no code before", "tester")
    return await harness.advance_to(app, position, "verify_code")


async def test_a_dark_number_that_waits_for_its_code_keeps_its_pause(make_harness: MakeHarness) -> None:
    """Only a sweep of every minute runs. Without it the senders went back to a side that is off."""
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await _dark_before_its_code(harness, app)
        for _ in range(15):
            harness.clock.advance(60)
            await keep_senders_informed(app)
            sender = harness.sandbox_number(position).sender
            assert not sender.running
        outbox = await app.queries.records.outbox(position.migration_id)
    assert harness.sandbox_number(position).side == "neither"
    assert (sender.to_dead_side, sender.lost) == (0, 0)
    keys = [row["key"] for row in outbox if row["event"] == "pause_sends"]
    assert len(set(keys)) == len(keys) >= 5, "each renewal has a key of its own"
    assert outbox[-1]["body"]["after_deadline"] == "stay"
    epochs = [row["epoch"] for row in outbox]
    assert epochs == sorted(set(epochs))


async def test_a_renewal_that_did_not_reach_its_hook_is_sent_again_within_seconds(make_harness: MakeHarness) -> None:
    """Away for a moment at two renewals in turn, the hook would let the pause of a dark number lapse."""
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await _dark_before_its_code(harness, app)
        harness.clock.advance(61)
        harness.sandbox.faults.add("pause_sends", "reset_before", position.e164)
        await keep_senders_informed(app)
        harness.clock.advance(5)
        await keep_senders_informed(app)
        outbox = await app.queries.records.outbox(position.migration_id)
    assert [row["answer"] for row in outbox if row["event"] == "pause_sends"][-2:] == [None, "done"]
    harness.clock.advance(170)
    assert not harness.sandbox_number(position).sender.running


async def test_a_pause_outlives_two_sweeps_that_do_not_reach_its_hook(make_harness: MakeHarness) -> None:
    """Sweeps come once a minute, and a pause covers three of them."""
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await _dark_before_its_code(harness, app)
        paused = next(call for call in harness.sandbox.world.calls if call.call == "pause_sends")
        harness.sandbox.faults.add("pause_sends", "reset_before", position.e164, times=2)
        for sweep in (1, 2, 3):
            at = paused.at + timedelta(seconds=59.5 * sweep)
            harness.clock.advance((at - harness.clock.now()).total_seconds())
            assert not harness.sandbox_number(position).sender.running
            await keep_senders_informed(app)
    harness.clock.advance(3600)
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.to_dead_side, sender.lost) == (False, 0, 0)


async def test_a_pause_of_a_dark_number_outlives_all_workers(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        position = await _dark_before_its_code(harness, app)
        harness.clock.advance(61)
        await keep_senders_informed(app)
    harness.clock.advance(3600)
    assert not harness.sandbox_number(position).sender.running


async def test_a_pause_before_the_crossing_lapses_with_its_worker(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        position = await _until(harness, app, "drain")
    harness.clock.advance(200)
    assert harness.sandbox_number(position).sender.running


@pytest.mark.parametrize("end", ["abort", "dispose"])
async def test_a_pause_whose_answer_was_lost_is_taken_back_at_the_end(make_harness: MakeHarness, end: str) -> None:
    """The hook took the pause and then went down: listed until it confirms that its senders go on."""
    harness = await make_harness()
    async with harness.worker() as app:
        position = await _until(harness, app, "pause_sends")
        async with hook_that_loses_its_answers(harness):
            await app.runner.run_step(position.migration_id)
            assert not harness.sandbox_number(position).sender.running
            if end == "abort":
                harness.clock.advance(40)
                await abort(app, position.ref, "customer left", "tester")
            else:
                harness.clock.advance(40)
                await dispose(app, position.ref, "churned", "customer left", "tester")
                await keep_senders_informed(app)
            (paused,) = await app.queries.positions.paused()
            assert paused.paused_at is not None
        harness.clock.advance(120)
        await harness.run_number(app, position.ref) if end == "abort" else await keep_senders_informed(app)
        assert await app.queries.positions.paused() == ()
        after = await app.queries.positions.get(position.migration_id)
    assert after.status in (Status.ABORTED, Status.SKIPPED)
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.route) == (True, "on_premises")


async def test_a_number_that_waits_for_days_before_its_crossing_keeps_no_sender_waiting(
    make_harness: MakeHarness,
) -> None:
    """Meta takes no `register` for 72 h, and On-Premises serves."""
    harness = await make_harness()
    async with harness.worker() as app:
        position = await _until(harness, app, "register")
        harness.sandbox.faults.add("register", "error", position.e164, code=133016)
        while (position := await app.queries.positions.get(position.migration_id)).waiting_until is None or (
            position.waiting_until - harness.clock.now() < timedelta(hours=1)
        ):
            await app.runner.run_step(position.migration_id)
            harness.clock.advance(10)
            await keep_senders_informed(app)
        harness.clock.advance(10)
        await keep_senders_informed(app)
        assert harness.sandbox_number(position).sender.running
        await harness.run_number(app, position.ref, patience=timedelta(days=4))
        after = await app.queries.positions.get(position.migration_id)
    assert after.status is Status.DONE
    assert harness.sandbox_number(position).sender.to_dead_side == 0
    assert harness.mutations(position).count("pause_sends") >= 2


async def test_senders_of_a_held_number_that_has_not_crossed_go_on_and_pause_again(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        position = await _until(harness, app, "register")
        await app.ledger.operator_changes.hold(position.migration_id, True, "tester")
        await app.runner.run_one(position.migration_id)
        assert (await app.queries.positions.get(position.migration_id)).status is Status.HELD
        await keep_senders_informed(app)
        assert harness.sandbox_number(position).sender.running
        await app.ledger.operator_changes.hold(position.migration_id, False, "tester")
        await harness.run_number(app, position.ref)
        after = await app.queries.positions.get(position.migration_id)
    assert after.status is Status.DONE
    order = [call for call in harness.mutations(position) if call in ("pause_sends", "resume_sends", "register")]
    assert order == ["pause_sends", "resume_sends", "pause_sends", "register", "resume_sends"]
    assert harness.sandbox_number(position).sender.to_dead_side == 0


async def test_a_renewal_that_comes_after_its_pause_has_lapsed_pauses_anew(make_harness: MakeHarness) -> None:
    """No sweep ran for longer than the pause lasts: its senders went on, and must not be sending when it crosses."""
    harness = await make_harness()
    async with harness.worker() as app:
        position = await _until(harness, app, "register")
        harness.clock.advance(200)
        assert harness.sandbox_number(position).sender.running
        await keep_senders_informed(app)
        assert not harness.sandbox_number(position).sender.running
        harness.clock.advance(200)
        await harness.run_number(app, position.ref)
        after = await app.queries.positions.get(position.migration_id)
    assert after.status is Status.DONE
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.to_dead_side, sender.lost) == (True, 0, 0)


async def test_a_renewal_that_arrives_after_the_senders_may_go_on_has_no_effect(make_harness: MakeHarness) -> None:
    """A proxy held it back: its epoch is older than that of the message that let them go on."""
    harness = await make_harness()
    pauses: list[httpx.Request] = []

    async def keep(request: httpx.Request) -> None:
        if b'"pause_sends"' in request.content:
            pauses.append(request)

    harness.before_answer = keep
    async with harness.worker() as app:
        position = await _until(harness, app, "drain")
        harness.clock.advance(70)
        await keep_senders_informed(app)
        await harness.run_number(app, position.ref)
    assert len(pauses) >= 2
    late = pauses[1]
    del harness.sandbox.world.hook.responses[late.headers["Idempotency-Key"]]  # the hook has not seen it yet
    async with httpx.AsyncClient(transport=harness.sandbox.transport()) as hook:
        answer = await hook.post(late.url, content=late.content, headers=late.headers)
    assert answer.status_code == 200
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.route) == (True, "cloud")


async def test_a_route_that_its_hook_refuses_is_told_again_until_it_is_taken(make_harness: MakeHarness) -> None:
    """It is on Cloud, its senders wait, and nobody has to come for it once the hook is mended."""
    harness = await make_harness()
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **HOOK)
        harness.sandbox.faults.add("switch_route", "error", position.e164, code=409, status=409, times=5)
        await harness.run_number(app, position.ref)
        for _ in range(12):
            position = await app.queries.positions.get(position.migration_id)
            if position.status is not Status.BLOCKED:
                break
            assert (position.next_step, harness.sandbox_number(position).sender.running) == ("switch_route", False)
            harness.clock.advance(40)
            await keep_senders_informed(app)
        await harness.run_number(app, position.ref)
        after = await app.queries.positions.get(position.migration_id)
    assert after.status is Status.DONE
    sender = harness.sandbox_number(position).sender
    assert (sender.running, sender.route, sender.to_dead_side, sender.lost) == (True, "cloud", 0, 0)
