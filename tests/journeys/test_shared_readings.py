"""What a fleet costs in calls of Graph: what many numbers need is read once."""

from collections import Counter

import pytest

from migration.clients.shared_readings import CODE_AGE
from migration.preflight.assessment import run_preflight
from migration.preflight.check import Verdict
from tests.harness.in_process import Harness, MakeHarness


def graph_reads(harness: Harness, since: int = 0) -> Counter[str]:
    """Graph's reads by the name of the call, from the `since`-th call on."""
    calls = harness.sandbox.world.calls[since:]
    return Counter(call.call for call in calls if call.call.startswith("get."))


async def test_a_preflight_reads_token_subscriptions_and_list_once(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 12, numbers_per_waba=12)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        assert len({position.waba_id for position in board}) == 1
        before = len(harness.sandbox.world.calls)
        reports = await run_preflight(app, board)
    assert {report.verdict for report in reports} == {Verdict.PASS}
    assert graph_reads(harness, before) == {
        "get.debug_token": 1,
        "get.subscribed_apps": 1,
        "get.number": 1,
        "get.numbers": 1,
    }


async def test_numbers_of_one_waba_share_what_they_read_before_they_cross(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        before = len(harness.sandbox.world.calls)
        for position in board:
            await harness.advance_to(app, position, "pause_sends")
        # The subscriptions twice: that our app is not subscribed is read anew once it is. The numbers twice: where they
        # are, and what `cutover parity` compares with.
        assert graph_reads(harness, before) == {
            "get.number": 1,
            "get.numbers": 2,
            "get.subscribed_apps": 2,
            "get.templates": 1,
        }


async def test_each_number_is_read_anew_right_before_it_crosses_and_after_it(make_harness: MakeHarness) -> None:
    # With a number on Cloud the WABA is active: else one number would cross before the others.
    harness = await make_harness(kinds=["on_cloud", *["healthy"] * 3], numbers_per_waba=4)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        for position in board:
            await harness.advance_to(app, position, "register")
        for position in board:
            before = len(harness.sandbox.world.calls)
            await harness.advance_to(app, position, "switch_route")
            assert graph_reads(harness, before) == {"get.number": 2}, "one before register, one for confirm"


@pytest.mark.parametrize("kind", ["healthy", "no_backup"])
async def test_an_override_set_while_the_fleet_moves_stays(make_harness: MakeHarness, kind: str) -> None:
    """That the app is not subscribed is never believed from an old list: the call would remove the override."""
    harness = await make_harness(kinds=[kind] * 2)
    async with harness.worker() as app:
        first, second = await harness.import_numbers(app)
        await harness.advance_to(app, second, "subscribe")
        await harness.run_number(app, first.ref)
        app_id = harness.sandbox.manifest("http://sandbox.localhost")["app_id"]
        subscription = harness.sandbox.world.wabas[first.waba_id].subscriptions[app_id]
        subscription.override = "https://partner.example/hook"
        await harness.advance_to(app, second, "pause_sends")
    assert harness.sandbox.world.wabas[first.waba_id].subscriptions[app_id].override == "https://partner.example/hook"


async def test_what_was_read_before_a_call_of_ours_is_not_used_after_it(make_harness: MakeHarness) -> None:
    """It would ask for a second code where the first one has verified the number already."""
    harness = await make_harness(kinds=["no_backup"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "pause_sends")
        number = await app.loader.load(position, harness.clock.now())
        shown = await number.shared.number(position.phone_number_id, CODE_AGE)
        assert shown.code_verification_status == "VERIFIED"
