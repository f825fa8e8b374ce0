"""What a hook's answers do to a number before it crosses: a veto with an end, and silence of both kinds of hooks."""

from datetime import timedelta

import pytest

from migration.steps.outcomes import Advanced, Waiting
from state.enums import Party, Side
from tests.harness.in_process import Harness, MakeHarness


async def test_a_veto_with_an_end_is_waited_for_and_the_number_crosses_by_itself(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        sender = harness.sandbox_number(position).sender
        ends = harness.clock.now() + timedelta(hours=3)
        sender.behaviour, sender.veto_until = "veto", ends
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Waiting)
        assert outcome.on is Party.CUSTOMER
        assert outcome.until >= ends
        assert harness.sandbox_number(position).side == "on_premises"
        harness.clock.advance(timedelta(hours=3, minutes=2).total_seconds())
        assert await harness.run_number(app, position.ref) == Advanced("deregister_onprem", ended=True)
    number = harness.sandbox_number(position)
    assert (number.side, number.sends_to_dead_side) == ("cloud", 0)


def silence(harness: Harness, times: int) -> None:
    harness.sandbox.faults.add(route="pause_sends", e164=None, kind="refuse", times=times)


@pytest.mark.parametrize(("required", "crosses"), [("yes", False), ("no", True)])
async def test_a_silent_hook_keeps_only_a_number_whose_hook_is_required(
    make_harness: MakeHarness, required: str, crosses: bool
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders", hook_required=required)
        silence(harness, 0)
        await harness.run_number(app, position.ref, patience=timedelta(minutes=10))
        position = await app.queries.positions.get(position.migration_id)
    assert (position.side is Side.CLOUD) is crosses
    assert (harness.sandbox_number(position).side == "cloud") is crosses
    if crosses:
        assert harness.sandbox_number(position).sender.route == "cloud"  # it was told the new route all the same
