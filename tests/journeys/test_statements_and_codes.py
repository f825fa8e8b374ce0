"""What people and their systems say: how long it holds, and what it holds against."""

from pydantic import SecretStr

from migration.operations.codes import enter_code
from migration.operations.numbers import record_onprem_off, switch_itinerary
from migration.steps.outcomes import Advanced, Reopen
from state.enums import Side, Status
from tests.harness.crash_matrix import run_until_crash
from tests.harness.in_process import MakeHarness

PAUSE_HOLDS_S = 180
REGISTER_TAKES_S = 60


async def test_register_fits_into_a_pause_however_long_its_senders_drained(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox_number(at).sender.behaviour, harness.sandbox_number(at).sender.drain_s = "drain", 150.0
        assert isinstance(await harness.run_number(app, at.ref), Advanced)
    calls = [call for call in harness.sandbox.world.calls if call.call in ("pause_sends", "register")]
    (register,) = [call for call in calls if call.call == "register"]
    paused = calls[calls.index(register) - 1]
    assert (register.at - paused.at).total_seconds() + REGISTER_TAKES_S < PAUSE_HOLDS_S


async def test_a_pause_whose_answer_was_lost_is_said_anew_with_a_new_deadline(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox.faults.add(route="pause_sends", e164=None, kind="lost_answer", times=2)
        at = await harness.advance_to(app, at, "register")
        words = [row["body"] for row in await app.queries.records.outbox(at.migration_id)]
        assert harness.sandbox_number(at).sender.resumes_at.isoformat() == words[-1]["deadline"]
        assert len({word["epoch"] for word in words}) == len(words) == 3


async def test_a_code_typed_in_meanwhile_is_not_refused_in_place_of_the_one_that_was_sent(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        while (await app.queries.positions.get(at.migration_id)).next_step != "verify_code":
            await app.runner.run_step(at.migration_id)
        await enter_code(app, at.ref, SecretStr("000000"), "tester")
    assert await run_until_crash(harness, "before_send", 1, lambda app: app.runner.run_step(at.migration_id))
    async with harness.worker() as app:
        await enter_code(app, at.ref, SecretStr(harness.sandbox.sms(at.e164)[-1]), "tester")
        harness.clock.advance(60)
        assert isinstance(await app.runner.run_step(at.migration_id), Reopen)
        latest = await app.queries.records.latest_code(at.migration_id)
        assert latest is not None
        assert latest.state == "entered"
        assert await app.runner.run_step(at.migration_id) == Advanced("verify_code")
    assert harness.mutations(at).count("request_code") == 1


async def test_a_word_that_on_premises_is_off_is_void_once_it_serves(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await record_onprem_off(app, at.ref, "the host was shut down", "tester")
        assert at.onprem_off_stated_by == "tester"
        at = await harness.advance_to(app, at, "secure_pin")
        assert (at.side, at.onprem_off_stated_by, at.onprem_off_stated_at) == (Side.ON_PREMISES, None, None)
        await harness.run_number(app, at.ref)
    assert harness.mutations(at).count("command.stop") == 1


async def test_a_profile_outlives_a_change_of_way_while_the_number_is_dark(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        at = await harness.advance_to(app, at, "register")
        await switch_itinerary(app, at.ref, "CODE_AFTER", "its code came too late", "tester")
        await harness.run_number(app, at.ref)
        assert (await app.queries.positions.get(at.migration_id)).status is Status.DONE
    assert "profile" in harness.mutations(at)
    assert harness.sandbox_number(at).profile["address"]
