"""What a dark number needs no longer is not done again: each step would lengthen its outage."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from migration.clients.commands import CommandResult
from migration.operations.received_codes import enter_code
from migration.scrubbing.texts import SafeText
from state.enums import Side, Status
from tests.harness.in_process import MakeHarness


async def test_a_code_that_took_minutes_is_followed_by_register_at_once(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, itinerary="CODE_AFTER", hook="senders")
        position = await harness.advance_to(app, position, "verify_code")
        assert position.side is Side.NEITHER
        harness.clock.advance(45)  # the callbacks were drained more than 30 s ago, the code is cooling down
        await enter_code(app, position.ref, SecretStr(harness.sandbox.sms(position.e164)[-1]), "tester")
        before = harness.clock.now()
        await app.runner.run_one(position.migration_id)
        position = await app.queries.positions.get(position.migration_id)
        events = await app.queries.records.events(position.migration_id)
    calls = [call for call in harness.sandbox.world.calls if call.call in ("verify_code", "register")]
    assert (calls[1].at - calls[0].at).total_seconds() < 5
    assert (calls[0].at - before).total_seconds() < 5
    assert [event.kind for event in events].count("reopened") == 0
    assert position.status in (Status.DONE, Status.WAITING)


async def done_without_effect(_run: Callable[[str], bool]) -> CommandResult:
    return CommandResult(ok=True, detail=SafeText("stopped"))


@pytest.mark.parametrize("itinerary", ["CODE_FIRST", "CODE_AFTER"])
async def test_a_stop_that_is_proved_is_followed_by_register_at_once(make_harness: MakeHarness, itinerary: str) -> None:
    """No wait before the proof is read, and no reading that the decisions on the way do not need."""
    harness = await make_harness(kinds=["verified"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, itinerary=itinerary, hook="senders")
        await harness.run_number(app, position.ref)
    calls = harness.sandbox.world.calls
    (stop,) = [place for place, call in enumerate(calls) if call.side == "command"]
    register = [call.call for call in calls].index("register")
    between = [call.call for call in calls[stop + 1 : register] if call.side == "graph"]
    assert between == ["get.number"]  # the proof, by which `register` is decided too
    assert (calls[register].at - calls[stop].at).total_seconds() == 0


async def test_a_client_that_runs_on_after_its_stop_is_read_again_at_the_old_pace(make_harness: MakeHarness) -> None:
    """What was answered is on record before the next reading, so nothing runs a second time."""
    harness = await make_harness(kinds=["verified"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, itinerary="CODE_AFTER", hook="senders")
        position = await harness.advance_to(app, position, "deregister_onprem")
        harness.instead_of_command[str(position.instance and position.instance.name)] = done_without_effect
        await app.runner.run_step(position.migration_id)
        position = await app.queries.positions.get(position.migration_id)
        notes = await app.queries.records.findings(position.migration_id, "note")
    assert position.status is Status.WAITING
    assert position.next_step == "deregister_onprem"
    assert "stopped_at" in notes["deregister_onprem"].facts
    assert "register" not in [call.call for call in harness.sandbox.world.calls]
