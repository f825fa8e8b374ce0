"""Two workers and one number: which of them may act, write and send. Safeguards that tests/removals removes."""

import asyncio
from collections import Counter
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from migration.engine.runner import Busy
from migration.operations.numbers import hand_in_pin
from migration.steps.outcomes import Advanced, Held, Reopen, Waiting
from migration.vault.backup_shelf import BackupShelf, parse_file_name
from state.enums import Side, Status
from state.errors import LeaseLost
from state.ledger.moves import Move
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.in_process import MakeHarness

READING = timedelta(seconds=45)


async def test_only_one_of_two_workers_acts(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as first, harness.worker() as second:
        (position,) = await harness.import_numbers(first)
        results = await asyncio.gather(
            *(app.ledger.leases.acquire(position.migration_id, app.holder, READING) for app in (first, second)),
            return_exceptions=True,
        )
        assert sorted(type(result).__name__ for result in results) == ["Lease", "LeaseLost"]
        (winner,) = [result.holder for result in results if not isinstance(result, BaseException)]
        loser = second if winner == first.holder else first
        assert isinstance(await loser.runner.run_step(position.migration_id), Busy)


async def test_a_worker_whose_lease_expired_writes_nothing(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as first, harness.worker() as second:
        (position,) = await harness.import_numbers(first)
        expired = await first.ledger.leases.acquire(position.migration_id, first.holder, READING)
        harness.clock.advance(46)
        new = await second.ledger.leases.acquire(position.migration_id, second.holder, READING)
        assert new.fence > expired.fence
        with pytest.raises(LeaseLost):
            await first.ledger.moves.record(expired, Move("snapshot", Status.READY, "advanced", to="secure_pin"))
        assert (await first.queries.positions.get(position.migration_id)).next_step == "snapshot"


async def test_a_call_that_may_still_be_in_flight_is_not_repeated(make_harness: MakeHarness) -> None:
    """Killed before it sent; for the next worker the call may be in flight until its longest time is over."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
    harness.crash_point = CrashPoint(before_send=1)
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await app.runner.run_step(position.migration_id)
    harness.crash_point = CrashPoint()
    async with harness.worker() as app:
        attempt = await app.queries.records.open_attempt(position.migration_id)
        assert attempt is not None
        lease = await app.ledger.leases.acquire(position.migration_id, "worker-2", READING)
        assert lease.now < attempt.answer_due
        await app.ledger.moves.record(lease, Move("register", Status.READY, "let go"))
        outcome = await app.runner.run_step(position.migration_id)
        assert isinstance(outcome, Waiting)
        assert "in flight" in outcome.reason
        assert "register" not in harness.mutations(position)
        await harness.run_number(app, position.ref)
    assert harness.mutations(position).count("register") == 1


async def test_the_last_three_register_calls_need_an_operator(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, register_calls_72h="7")
        position = await harness.advance_to(app, position, "register")
        assert isinstance(await app.runner.run_step(position.migration_id), Waiting)
        assert "register" not in harness.mutations(position)
        await app.ledger.operator_changes.spend_reserve(position.migration_id, "tester")
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
        assert position.side is Side.CLOUD
    assert harness.mutations(position).count("register") == 1


async def test_a_webhook_override_of_the_partner_is_kept(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    waba = next(iter(harness.sandbox.world.wabas.values()))
    override = {"override_callback_uri": "https://partner.example/hook", "verify_token": "theirs"}
    async with harness.graph() as http:
        for body in ({}, override):  # an override needs an existing subscription
            assert (await http.post(f"/v25.0/{waba.id}/subscribed_apps", json=body)).status_code == 200
    before = repr(waba.subscriptions)
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    assert repr(waba.subscriptions) == before
    assert "partner.example" in before


async def test_a_pin_older_than_60_seconds_is_set_again(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        harness.clock.advance(61)
        outcome = await app.runner.run_step(position.migration_id)
        assert outcome == Reopen("secure_pin", "secure_pin is too old for register")
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    assert harness.mutations(position).count("onprem.two_step") == 2


async def test_a_number_that_stood_at_its_gate_has_its_pin_set_before_its_senders_are_paused(
    make_harness: MakeHarness,
) -> None:
    """Once its hold ends, nothing is left to do between the empty queue and `register`."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        await app.ledger.operator_changes.hold(position.migration_id, True, "tester")
        assert isinstance(await harness.run_number(app, position.ref), Held)
        harness.clock.advance(3600)
        await app.ledger.operator_changes.hold(position.migration_id, False, "tester")
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    made = harness.mutations(position)
    assert made.count("onprem.two_step") == 2
    assert "onprem.two_step" not in made[made.index("pause_sends") :]


async def test_a_pin_handed_in_before_register_is_set_before_it_is_sent(make_harness: MakeHarness) -> None:
    """The PIN that we set seconds ago is in force until then; any other one would take the number down."""
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        await app.ledger.leases.acquire(position.migration_id, "another worker", READING)
        with pytest.raises(LeaseLost):
            await hand_in_pin(app, position.ref, SecretStr("123456"), "the customer says so", "tester")
        harness.clock.advance(46)
        await hand_in_pin(app, position.ref, SecretStr("123456"), "the customer says so", "tester")
        assert await app.runner.run_step(position.migration_id) == Reopen(
            "secure_pin", "secure_pin is too old for register"
        )
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    assert (harness.sandbox_number(position).wrong_pins, harness.sandbox_number(position).pin) == (0, "123456")


async def test_a_worker_that_lost_its_lease_while_its_backup_was_made_replaces_no_other(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    made, may_answer, requests = asyncio.Event(), asyncio.Event(), Counter[str]()

    async def hang_once(request: httpx.Request) -> None:
        requests[request.url.path.rpartition("/")[2]] += request.method == "POST"
        if request.url.path.endswith("/settings/backup") and not made.is_set():
            made.set()
            await may_answer.wait()

    async with harness.worker() as first, harness.worker() as second:
        (position,) = await harness.import_numbers(first)
        position = await harness.advance_to(first, position, "back_up")
        requests.clear()
        harness.before_answer = hang_once
        hanging = asyncio.create_task(first.runner.run_step(position.migration_id))
        await made.wait()
        harness.clock.advance(120)
        await harness.advance_to(second, position, "subscribe")
        assert requests["backup"] == 2
        kept = await second.secret_store.open(f"number:{position.number_id}", "backup")
        files = list(harness.settings.backup_folder.iterdir())
        may_answer.set()
        assert isinstance(await hanging, Busy), "its backup came too late"

        assert await second.secret_store.open(f"number:{position.number_id}", "backup") == kept is not None
        assert list(harness.settings.backup_folder.iterdir()) == files
        (file,) = files
        on_shelf = BackupShelf(harness.settings.backup_folder).get(parse_file_name(file.name))
        assert second.vault.open(on_shelf, context=f"number:{position.number_id}/backup") == kept
