"""Two workers and one number: who may act, who may write, who is let through."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from migration.engine.runner import Busy
from migration.operations.numbers import hand_in_pin
from migration.steps.outcomes import Advanced, Reopen, Waiting
from state.enums import Side, Status
from state.errors import LeaseLost
from state.ledger.moves import Move
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.in_process import MakeHarness

READING = timedelta(seconds=45)


async def test_of_two_workers_one_acts(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as one, harness.worker() as two:
        (at,) = await harness.import_numbers(one)
        took = await asyncio.gather(
            *(app.ledger.leases.acquire(at.migration_id, app.holder, READING) for app in (one, two)),
            return_exceptions=True,
        )
        assert sorted(type(found).__name__ for found in took) == ["Lease", "LeaseLost"]
        (winner,) = [found.holder for found in took if not isinstance(found, BaseException)]
        loser = two if winner == one.holder else one
        assert isinstance(await loser.runner.run_step(at.migration_id), Busy)


async def test_a_worker_whose_lease_ran_out_writes_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as one, harness.worker() as two:
        (at,) = await harness.import_numbers(one)
        old = await one.ledger.leases.acquire(at.migration_id, one.holder, READING)
        harness.clock.advance(46)
        new = await two.ledger.leases.acquire(at.migration_id, two.holder, READING)
        assert new.fence > old.fence
        with pytest.raises(LeaseLost):
            await one.ledger.moves.record(old, Move("snapshot", Status.READY, "advanced", to="secure_pin"))
        assert (await one.queries.positions.get(at.migration_id)).next_step == "snapshot"


async def test_a_call_that_may_still_be_in_flight_is_not_repeated(make_harness: MakeHarness) -> None:
    """Killed before it left; for the next worker it may be on its way until its longest time is over."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "register")
    harness.crash_point = CrashPoint(before_send=1)
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await app.runner.run_step(at.migration_id)
    harness.crash_point = CrashPoint()
    async with harness.worker() as app:
        attempt = await app.queries.records.open_attempt(at.migration_id)
        assert attempt is not None
        lease = await app.ledger.leases.acquire(at.migration_id, "worker-2", READING)
        assert lease.now < attempt.answer_due
        await app.ledger.moves.record(lease, Move("register", Status.READY, "let go"))
        outcome = await app.runner.run_step(at.migration_id)
        assert isinstance(outcome, Waiting)
        assert "in flight" in outcome.reason
        assert "register" not in harness.mutations(at)
        await harness.run_number(app, at.ref)
    assert harness.mutations(at).count("register") == 1


async def test_the_last_three_register_calls_are_a_persons(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, register_calls_72h="7")
        at = await harness.advance_to(app, at, "register")
        assert isinstance(await app.runner.run_step(at.migration_id), Waiting)
        assert "register" not in harness.mutations(at)
        await app.ledger.operator_changes.spend_reserve(at.migration_id, "tester")
        await harness.run_number(app, at.ref)
        at = await app.queries.positions.get(at.migration_id)
        assert at.side is Side.CLOUD
    assert harness.mutations(at).count("register") == 1


async def test_an_override_of_the_partner_stays(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    waba = next(iter(harness.sandbox.world.wabas.values()))
    theirs = {"override_callback_uri": "https://partner.example/hook", "verify_token": "theirs"}
    async with harness.graph() as http:
        for body in ({}, theirs):  # an override is given to a subscription that is there
            assert (await http.post(f"/v25.0/{waba.id}/subscribed_apps", json=body)).status_code == 200
    before = repr(waba.subscriptions)
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
    assert repr(waba.subscriptions) == before
    assert "partner.example" in before


async def test_a_pin_that_grew_old_is_secured_again(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "register")
        harness.clock.advance(61)
        outcome = await app.runner.run_step(at.migration_id)
        assert outcome == Reopen("secure_pin", "secure_pin is too old for register")
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
    assert harness.mutations(at).count("onprem.two_step") == 2


async def test_a_pin_handed_in_at_the_last_moment_is_set_before_it_is_sent(make_harness: MakeHarness) -> None:
    """The one that we set seconds ago is in force until then; any other would take the number down."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "register")
        await app.ledger.leases.acquire(at.migration_id, "another worker", READING)
        with pytest.raises(LeaseLost):
            await hand_in_pin(app, at.ref, SecretStr("123456"), "the customer says so", "tester")
        harness.clock.advance(46)
        await hand_in_pin(app, at.ref, SecretStr("123456"), "the customer says so", "tester")
        assert await app.runner.run_step(at.migration_id) == Reopen("secure_pin", "secure_pin is too old for register")
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
    assert (harness.sandbox_number(at).wrong_pins, harness.sandbox_number(at).pin) == (0, "123456")
