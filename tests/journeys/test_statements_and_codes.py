"""How long a pause, a code and an operator's statement are valid, and what invalidates them."""

import pytest
from pydantic import SecretStr

from migration.operations.numbers import hand_in_pin, record_onprem_off, switch_itinerary
from migration.operations.received_codes import enter_code
from migration.steps.outcomes import Advanced, Reopen
from state.enums import Side, Status
from tests.harness.crash_matrix import run_until_crash
from tests.harness.in_process import MakeHarness

PAUSE_HOLDS_S = 180
REGISTER_TAKES_S = 60


async def test_register_ends_within_the_pause_however_long_senders_drained(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox_number(position).sender.behaviour, harness.sandbox_number(position).sender.drain_s = (
            "drain",
            150.0,
        )
        assert isinstance(await harness.run_number(app, position.ref), Advanced)
    calls = [call for call in harness.sandbox.world.calls if call.call in ("pause_sends", "register")]
    (register,) = [call for call in calls if call.call == "register"]
    pause = calls[calls.index(register) - 1]
    assert (register.at - pause.at).total_seconds() + REGISTER_TAKES_S < PAUSE_HOLDS_S


async def test_a_pause_whose_response_was_lost_is_sent_again_with_a_new_deadline(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        harness.sandbox.faults.add(route="pause_sends", e164=None, kind="lost_answer", times=2)
        position = await harness.advance_to(app, position, "register")
        events = [row["body"] for row in await app.queries.records.outbox(position.migration_id)]
        assert harness.sandbox_number(position).sender.resumes_at.isoformat() == events[-1]["deadline"]
        assert len({event["epoch"] for event in events}) == len(events) == 3


async def test_a_code_entered_meanwhile_is_not_refused_in_place_of_the_code_that_was_sent(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        while (await app.queries.positions.get(position.migration_id)).next_step != "verify_code":
            await app.runner.run_step(position.migration_id)
        await enter_code(app, position.ref, SecretStr("000000"), "tester")
    assert await run_until_crash(harness, "before_send", 1, lambda app: app.runner.run_step(position.migration_id))
    async with harness.worker() as app:
        await enter_code(app, position.ref, SecretStr(harness.sandbox.sms(position.e164)[-1]), "tester")
        harness.clock.advance(110)  # the call's longest time and the lag of readings
        assert isinstance(await app.runner.run_step(position.migration_id), Reopen)
        latest = await app.queries.records.latest_code(position.migration_id)
        assert latest is not None
        assert latest.state == "entered"
        assert await app.runner.run_step(position.migration_id) == Advanced("verify_code")
    assert harness.mutations(position).count("request_code") == 1


ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.mark.parametrize("around", ["{}", "\u2068{}\u2069", "\u200b{} "], ids=["plain", "isolated", "zero width"])
async def test_a_code_in_digits_of_another_script_costs_no_try(make_harness: MakeHarness, around: str) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "verify_code")
        code = harness.sandbox.sms(position.e164)[-1].translate(ARABIC_INDIC)
        await enter_code(app, position.ref, SecretStr(around.format(f"{code[:3]}-{code[3:]}")), "tester")
        assert await app.runner.run_step(position.migration_id) == Advanced("verify_code")
    assert harness.mutations(position).count("verify_code") == 1


async def test_a_pin_in_digits_of_another_script_is_stored_as_meta_knows_it(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await hand_in_pin(app, position.ref, SecretStr("٤٨٢٩١٣"), "the owner told us", "tester")
        stored = await app.secret_store.open(f"number:{position.number_id}", "pin")
    assert stored is not None
    assert stored.get_secret_value() == "482913"


async def test_a_statement_that_on_premises_is_off_is_void_once_it_serves(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await record_onprem_off(app, position.ref, "the host was shut down", "tester")
        assert position.onprem_off_stated_by == "tester"
        position = await harness.advance_to(app, position, "secure_pin")
        assert (position.side, position.onprem_off_stated_by, position.onprem_off_stated_at) == (
            Side.ON_PREMISES,
            None,
            None,
        )
        await harness.run_number(app, position.ref)
    assert harness.mutations(position).count("command.stop") == 1


async def test_a_profile_survives_a_change_of_itinerary_while_the_number_is_dark(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "register")
        await switch_itinerary(app, position.ref, "CODE_AFTER", "its code came too late", "tester")
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).status is Status.DONE
    assert "profile" in harness.mutations(position)
    assert harness.sandbox_number(position).profile["address"]
