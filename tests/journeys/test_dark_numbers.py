"""What a dark number needs no longer is not done again: each step would lengthen its outage."""

from pydantic import SecretStr

from migration.operations.codes import enter_code
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
