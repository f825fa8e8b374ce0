"""Graph's `status` holds words for quality and limits too: a number with one of them is registered and online."""

import pytest

from migration.fleet.choose_itinerary import NoItinerary
from migration.fleet.importing import import_fleet
from state.enums import Disposition, Side, Status
from tests.harness.in_process import MakeHarness

WORDS = ["FLAGGED", "RESTRICTED", "RATE_LIMITED"]


@pytest.mark.parametrize("word", WORDS)
async def test_a_number_that_is_live_on_cloud_is_taken_in_as_such(make_harness: MakeHarness, word: str) -> None:
    harness = await make_harness(kinds=["on_cloud"])
    (number,) = harness.sandbox.world.numbers.values()
    number.flagged = word
    async with harness.worker() as app:
        results = await import_fleet(app, harness.inventory(), "tester", lambda done, of: None)
    assert [result.choice.disposition for result in results if isinstance(result.choice, NoItinerary)] == [
        Disposition.ALREADY_ON_CLOUD
    ]
    assert number.registers == 0


@pytest.mark.parametrize("kind", ["healthy", "no_backup", "dark"])
@pytest.mark.parametrize("word", WORDS)
async def test_a_lost_answer_is_settled_by_the_platform(make_harness: MakeHarness, word: str, kind: str) -> None:
    harness = await make_harness(kinds=[kind])
    (number,) = harness.sandbox.world.numbers.values()
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, hook="senders")
        number.flagged = word
        harness.sandbox.faults.add(route="register", e164=None, times=1, kind="lost_answer")
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
    assert (number.registers, number.double_effects) == (1, 0)
    assert position.side is Side.CLOUD
    # What a restricted number is still refused is a message, not its registration.
    assert word != "FLAGGED" or position.status is Status.DONE
    assert position.paused_at is None or word != "FLAGGED"


@pytest.mark.parametrize("word", WORDS)
async def test_a_serving_client_keeps_its_side(make_harness: MakeHarness, word: str) -> None:
    harness = await make_harness(kinds=["healthy"])
    (number,) = harness.sandbox.world.numbers.values()
    number.flagged = word
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        assert (position.side, position.itinerary) == (Side.ON_PREMISES, "WITH_BACKUP")
