"""A PIN on Cloud is set anew without losing it, and one that was set behind our back is noticed."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from migration.errors import OperationRefused
from migration.fleet.bad_inventory import BadInventory
from migration.fleet.importing import correct_fleet
from migration.operations.numbers import record_two_step_off, retry_number
from migration.operations.pin_rotation import rotate_pin
from migration.steps.outcomes import Advanced, Blocked
from migration.waves.loop import NumberSelection, WaveLoop
from state.ledger.pins import NEXT, ROTATED
from tests.harness.in_process import Harness, MakeHarness


async def moved(harness: Harness, app: Any) -> Any:
    (position,) = await harness.import_numbers(app)
    assert isinstance(await harness.run_number(app, position.ref), Advanced)
    return await app.queries.positions.find(position.ref)


async def pins(app: Any, position: Any) -> tuple[str | None, str | None]:
    """The PIN in force as we have it, and the one that is being set."""
    owner = f"number:{position.number_id}"
    kept = [await app.secret_store.open(owner, name) for name in ("pin", NEXT)]
    return kept[0] and kept[0].get_secret_value(), kept[1] and kept[1].get_secret_value()


async def test_one_wrong_pin_that_graph_said_it_had_set_keeps_all_others_from_sending_one(
    make_harness: MakeHarness,
) -> None:
    """Whether Graph's PIN call works there is measured by the first register, and by no second number."""
    harness = await make_harness(kinds=["expired"] * 3, switches={"pin_while_not_on_cloud": "onprem_keeps"})
    async with harness.worker() as app:
        first, second, third = await harness.import_numbers(app)
        second = await harness.advance_to(app, second, "register")  # its PIN was set before anybody knew
        outcome = await harness.run_number(app, first.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/wrong-pin.md"
        (fact,) = await app.queries.fleet.field_fact_rows()
        assert (fact["name"], fact["value"]) == ("pin_while_not_on_cloud", "onprem_keeps")
        assert fact["measured_by"] == f"{first.ref} at register"
        for other in (second, third):
            outcome = await harness.run_number(app, other.ref)
            assert isinstance(outcome, Blocked)
            assert outcome.runbook == "runbooks/pin-unknown.md"
        assert [harness.sandbox_number(each).wrong_pins for each in (first, second, third)] == [1, 0, 0]


async def test_a_wrong_pin_takes_the_place_of_a_statement_that_it_refutes(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["expired"], switches={"pin_while_not_on_cloud": "onprem_keeps"})
    async with harness.worker() as app:
        await app.ledger.field_facts.record("pin_while_not_on_cloud", "accepted", "one number in May", "ana")
        (position,) = await harness.import_numbers(app)
        await harness.run_number(app, position.ref)
        (fact,) = await app.queries.fleet.field_fact_rows()
        assert (fact["value"], fact["measured_by"]) == ("onprem_keeps", f"{position.ref} at register")


async def test_a_new_pin_takes_the_place_of_the_one_before(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        position = await moved(harness, app)
        before, _ = await pins(app, position)
        await rotate_pin(app, position.ref, "Bea has left", "Ana")
        after, staged = await pins(app, position)
        assert (after != before, staged) == (True, None)
        assert harness.sandbox_number(position).pin == after
        (event,) = [one for one in await app.queries.records.events(position.migration_id) if one.kind == ROTATED]
        assert event.facts == {"by": "Ana", "reason": "Bea has left"}


async def test_without_an_answer_both_are_kept_and_a_second_try_sets_the_same(make_harness: MakeHarness) -> None:
    harness = await make_harness()

    async def lost(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "POST":
            raise httpx.ReadError("gone", request=request)
        return response

    async with harness.worker() as app:
        position = await moved(harness, app)
        before, _ = await pins(app, position)
        harness.change_answer = lost
        with pytest.raises(OperationRefused, match="not known"):
            await rotate_pin(app, position.ref, "why", "Ana")
        harness.change_answer = None
        kept, staged = await pins(app, position)
        assert (kept, harness.sandbox_number(position).pin) == (before, staged), "the one that is in force is known"
        await rotate_pin(app, position.ref, "why", "Ana")
        assert await pins(app, position) == (staged, None)


async def test_a_refused_pin_leaves_the_one_before(make_harness: MakeHarness) -> None:
    harness = await make_harness()

    async def refused(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        body = {"error": {"message": "no", "type": "OAuthException", "code": 100}}
        return httpx.Response(400, json=body) if request.method == "POST" else response

    async with harness.worker() as app:
        position = await moved(harness, app)
        before, _ = await pins(app, position)
        harness.change_answer = refused
        with pytest.raises(OperationRefused, match="refused the new PIN"):
            await rotate_pin(app, position.ref, "why", "Ana")
        assert await pins(app, position) == (before, None)


async def test_no_pin_is_set_under_a_number_that_is_being_moved(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        with pytest.raises(OperationRefused, match="being moved"):
            await rotate_pin(app, position.ref, "why", "Ana")


async def test_a_pin_that_somebody_has_set_meanwhile_is_noticed(make_harness: MakeHarness) -> None:
    """Off was stated, a PIN is there: `register` with any other would take the number down for good."""
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        await record_two_step_off(app, position.ref, "off", "Ana")
        harness.sandbox_number(position).pin = "482913"
        harness.sandbox.world.refresh(harness.sandbox_number(position), harness.clock.now())
        outcome = await harness.run_number(app, position.ref)
        assert isinstance(outcome, Blocked)
        assert outcome.runbook == "runbooks/pin-unknown.md"
        assert "register" not in harness.mutations(position)


@pytest.mark.parametrize(
    ("switch", "wrong", "sides"), [("onprem_keeps", 1, {"on_premises", "neither"}), ("accepted", 0, {"cloud"})]
)
async def test_of_numbers_that_register_at_once_one_tries_the_pin_of_graph(
    make_harness: MakeHarness, switch: str, wrong: int, sides: set[str]
) -> None:
    """All of them have passed their checks before the first one is answered."""
    harness = await make_harness(kinds=["on_cloud", *["expired"] * 4], switches={"pin_while_not_on_cloud": switch})
    async with harness.worker() as app:
        board = [await harness.advance_to(app, one, "register") for one in await harness.import_numbers(app)]
        await WaveLoop(app, app.runner.run_one, concurrency=4, patience=timedelta(minutes=20)).run(NumberSelection())
        (fact,) = await app.queries.fleet.field_fact_rows()
    assert (fact["name"], fact["value"]) == ("pin_while_not_on_cloud", switch)
    assert sum(harness.sandbox_number(one).wrong_pins for one in board) == wrong
    assert {harness.sandbox_number(one).side for one in board} <= sides


async def test_the_same_inventory_again_does_not_revive_a_pin_that_was_refused(make_harness: MakeHarness) -> None:
    """Corrected for another reason: the wrong PIN would have been sent a second time."""
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox_number(position).pin = "999999"
        path = harness.inventory(pin="123456")
        await correct_fleet(app, path, "Ana", lambda done, of: None)
        await harness.run_number(app, position.ref)
        assert harness.sandbox_number(position).wrong_pins == 1
        await correct_fleet(app, path, "Ana", lambda done, of: None)
        assert (await app.queries.positions.find(position.ref)).pin_provenance is None
        await retry_number(app, position.ref, "its address was wrong", "Ana")
        await harness.run_number(app, position.ref)
    assert harness.sandbox_number(position).wrong_pins == 1


async def test_an_older_inventory_does_not_replace_a_pin_that_was_rotated(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app:
        position = await moved(harness, app)
        await rotate_pin(app, position.ref, "Bea has left", "Ana")
        after = await pins(app, position)
        with pytest.raises(BadInventory, match="set another PIN since"):
            await correct_fleet(app, harness.inventory(pin="123456"), "Ana", lambda done, of: None)
        assert await pins(app, position) == after
