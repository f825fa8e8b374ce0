"""Fleets under Graph's documented limits: 200 calls an hour on a WABA without a number on Cloud, else 5,000."""

import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from migration.app import App
from migration.cli.status import fleet_document, read_fleet
from migration.engine.calls_needed import NEEDS
from migration.engine.itineraries import ITINERARIES, ItineraryName
from migration.errors import CallsSpent
from migration.operations.numbers import recover_forward
from migration.operations.rollbacks import back_to_onprem, read_rollback_assessment
from migration.preflight.assessment import run_preflight
from migration.preflight.check import Verdict
from migration.steps.number import Number
from migration.steps.outcomes import Waiting
from migration.waves.loop import NumberSelection, WaveLoop
from sandbox.world.call_limits import COUNTED
from state.enums import Side, Status
from state.ledger.call_budgets import BudgetKey
from state.ledger.call_window import RESERVE
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

PATIENCE = timedelta(seconds=30)
REFUSED = {80008}


def counted(harness: Harness) -> Counter[str]:
    """The management calls that Graph was asked for, by name."""
    return Counter(call.call for call in harness.sandbox.world.calls if call.call in COUNTED)


def refused(harness: Harness) -> int:
    """How many calls Graph refused because of their number."""
    return sum(call.code in REFUSED for call in harness.sandbox.world.calls)


async def run_all(app: App) -> list[Position]:
    """As `cutover run` does it: until nothing becomes due soon."""
    await WaveLoop(app, app.runner.run_one, concurrency=20, patience=PATIENCE).run(NumberSelection())
    return list(await app.queries.positions.board())


@pytest.mark.slow
async def test_sixty_numbers_of_one_waba_are_imported_checked_and_moved(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 60, numbers_per_waba=60)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
    async with harness.worker() as app:
        reports = await run_preflight(app, board)
        assert {report.verdict for report in reports} == {Verdict.PASS}
    began = harness.clock.now()
    async with harness.worker() as app:
        board = await run_all(app)
    assert Counter((position.side, position.status) for position in board) == {(Side.CLOUD, Status.DONE): 60}
    assert refused(harness) == 0
    assert harness.clock.now() - began < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("numbers", "per_waba"),
    [(40, 10), pytest.param(750, 750, marks=pytest.mark.slow), pytest.param(2_000, 10, marks=pytest.mark.slow)],
)
async def test_a_preflight_fails_no_number_for_want_of_calls(
    make_harness: MakeHarness, numbers: int, per_waba: int
) -> None:
    harness = await make_harness(kinds=["healthy"] * numbers, numbers_per_waba=per_waba)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
    async with harness.worker() as app:
        reports = await run_preflight(app, board)
    assert Counter(report.verdict for report in reports) == {Verdict.PASS: numbers}
    assert refused(harness) == 0
    assert sum(call.call == "get.debug_token" for call in harness.sandbox.world.calls) == 1


async def test_where_no_call_is_left_preflight_could_not_look_and_says_so(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        await app.ledger.call_budgets.close(BudgetKey(board[0].app_id, board[0].waba_id), timedelta(minutes=9))
    async with harness.worker() as app:
        before = counted(harness).total()
        reports = await run_preflight(app, board)
    assert {report.verdict for report in reports} == {Verdict.NOT_LOOKED}
    assert counted(harness).total() == before
    said = {result.message for report in reports for result in report.results}
    assert any("Graph takes no calls for WABA" in message for message in said)


CASES: dict[str, dict[str, Any]] = {
    "WITH_BACKUP": {"kinds": ["verified"]},
    "CODE_FIRST": {"kinds": ["no_backup"]},
    "CODE_AFTER": {"kinds": ["dark"]},
    "ONBOARD": {"kinds": ["new"]},
    "BACK_TO_ONPREM": {"kinds": ["verified"], "world": "open"},
    "FORWARD_RECOVERY": {"kinds": ["dark"]},
}


@pytest.mark.parametrize("name", CASES)
async def test_a_cutover_needs_no_more_calls_than_are_kept_for_it(make_harness: MakeHarness, name: str) -> None:
    """The table is what the itineraries really do, from their first gate on."""
    harness = await make_harness(**CASES[name])
    columns = {"hook": "senders"} | ({"start_command": "start"} if "world" in CASES[name] else {})
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, **columns)
        if name == "BACK_TO_ONPREM":
            await harness.run_number(app, position.ref)
            position = await back_to_onprem(app, await read_rollback_assessment(app, position.ref), "tester")
        if name == "FORWARD_RECOVERY":
            position = await recover_forward(app, position.ref, "it is dark", "tester")
        position = await app.queries.positions.get(position.migration_id)
        assert position.itinerary == name
        gate = next(entry.name for entry in ITINERARIES[ItineraryName(name)].steps if entry.gated)
        await harness.advance_to(app, position, gate)
        before = counted(harness).total()
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).ended_at is not None
    assert counted(harness).total() - before == NEEDS[ItineraryName(name)]


async def spend(harness: Harness, position: Position, calls: int) -> None:
    """Another program of the partner reads with the same app."""
    async with harness.graph() as graph:
        for _ in range(calls):
            await graph.get(f"/v25.0/{position.phone_number_id}")


def left(harness: Harness, position: Position) -> int:
    waba = harness.sandbox.world.wabas[position.waba_id]
    (meter,) = waba.meters.values()
    return 200 - meter.calls(harness.clock.now())


@pytest.mark.parametrize("kind", ["healthy", "no_backup"])
async def test_no_client_is_stopped_without_the_calls_that_its_number_still_needs(
    make_harness: MakeHarness, kind: str
) -> None:
    """Today such a number stayed dark for an hour: nothing was left to read where it is."""
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        position = await harness.advance_to(app, position, "pause_sends")
        await spend(harness, position, left(harness, position) - 2)
        await app.queries.positions.get(position.migration_id)
        reading = await app.loader.load(position, harness.clock.now())
        await reading.cloud.number(position.phone_number_id)  # its answer shows what the others have used
        outcome = await app.runner.run_step(position.migration_id)
        assert isinstance(outcome, Waiting)
        says = (
            rf"WABA {position.waba_id} has \d of 200 calls left this hour; the next number may cross at \d\d:\d\d UTC"
        )
        assert re.fullmatch(says, outcome.reason)
        assert harness.sandbox_number(position).registered == 0
        assert harness.commands == []
        began = len(harness.sandbox.world.calls)
        await harness.run_number(app, position.ref, patience=timedelta(hours=3))
        position = await app.queries.positions.get(position.migration_id)
        assert (position.side, position.status) == (Side.CLOUD, Status.DONE)
        assert (position.outage_seconds or 0) < 60
        assert not any(call.code in REFUSED for call in harness.sandbox.world.calls[began:])


@pytest.mark.slow
async def test_numbers_that_wait_for_a_throttled_waba_do_not_lengthen_its_wait(make_harness: MakeHarness) -> None:
    """Every call before the end of the wait would make it longer, for all of them."""
    harness = await make_harness(kinds=["healthy"] * 20, numbers_per_waba=20, switches={"throttled_call_s": 120})
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        await spend(harness, board[0], 202)
    throttled, began = refused(harness), harness.clock.now()
    async with harness.worker() as first, harness.worker() as second:
        for _ in range(100):
            for app in (first, second):
                await run_all(app)
            board = list(await first.queries.positions.board())
            if all(position.ended_at is not None for position in board):
                break
            harness.clock.advance(60)
    assert Counter(position.side for position in board) == {Side.CLOUD: 20}
    assert refused(harness) - throttled <= 2, "one answer for each worker that did not know"
    assert harness.clock.now() - began < timedelta(minutes=75)


@pytest.mark.slow
async def test_uploads_of_pictures_end_where_the_app_has_no_calls_left(make_harness: MakeHarness) -> None:
    """Each upload that was sent while Graph took none made all others wait longer: some numbers never ended."""
    harness = await make_harness(kinds=["healthy"] * 4, switches={"throttled_call_s": 1200, "profile_survives": "no"})
    async with harness.worker() as first, harness.worker() as second:
        board = await harness.import_numbers(first)
        for app in harness.sandbox.world.apps.values():
            while app.meter.calls(harness.clock.now()) < 200 - 2:  # those of one upload are left
                app.meter.add(harness.clock.now())
        began = harness.clock.now()
        for _ in range(150):
            for worker in (first, second):
                await run_all(worker)
            board = list(await first.queries.positions.board())
            if all(position.ended_at is not None for position in board):
                break
            harness.clock.advance(60)
    assert Counter((position.side, position.status) for position in board) == {(Side.CLOUD, Status.DONE): 4}
    uploads = [call for call in harness.sandbox.world.calls if call.call == "upload.begin"]
    assert 4 < len(uploads) <= 4 + 3, "once more for each that was under way when Graph refused the first"
    assert harness.clock.now() - began < timedelta(minutes=140)


async def test_two_workers_share_one_budget(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 12, numbers_per_waba=12)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
    async with harness.worker() as first, harness.worker() as second:
        number = [await app.loader.load(board[0], harness.clock.now()) for app in (first, second)]
        before = counted(harness).total()
        with pytest.raises(CallsSpent):
            await read_in_turn(number, board[0].phone_number_id)
    assert counted(harness).total() - before <= 200 - RESERVE
    assert refused(harness) == 0


async def read_in_turn(numbers: list[Number], phone_number_id: str) -> None:
    for turn in range(300):
        await numbers[turn % len(numbers)].cloud.number(phone_number_id)


async def test_a_first_number_that_nobody_works_on_keeps_no_other_waiting(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        first, second = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
        assert first.waba_id == second.waba_id
        await harness.advance_to(app, first, "drain")  # let in, and not crossed
        await harness.advance_to(app, second, "pause_sends")
        waiting = await app.runner.run_step(second.migration_id)
        assert isinstance(waiting, Waiting)
        assert f"{first.ref} crosses first" in waiting.reason
        harness.clock.advance(90)  # its worker is gone: no lease, and no slot between two steps any more
        await harness.advance_to(app, second, "register")


async def test_status_says_how_many_of_those_that_wait_can_move_now(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3, numbers_per_waba=3)
    async with harness.worker() as app:
        first, second, third = await harness.import_numbers(app)
        assert (await read_fleet(app.queries, None)).call_limits == ()
        await harness.advance_to(app, first, "drain")
        for other in (second, third):
            outcome = await app.runner.run_one(other.migration_id)
            assert isinstance(outcome, Waiting)
            assert outcome.for_calls
        (limit,) = fleet_document(await read_fleet(app.queries, None), show_numbers=False)["call_limits"]
        assert [limit[name] for name in ("waiting", "can_move_now", "calls_an_hour")] == [2, 0, 200]
        await harness.run_number(app, first.ref)
        board = await run_all(app)
        assert (await read_fleet(app.queries, None)).call_limits == ()
    assert {position.status for position in board} == {Status.DONE}


async def test_where_the_first_number_of_a_waba_is_blocked_another_one_crosses_in_the_same_run(
    make_harness: MakeHarness,
) -> None:
    """All wait for the first to cross, and the run has less patience than they."""
    harness = await make_harness(kinds=["verified"] * 4)
    async with harness.worker() as app:
        first, *others = await harness.import_numbers(app)
        await harness.advance_to(app, first, "drain")
        for number in others:
            waits = await app.runner.run_one(number.migration_id)
            assert isinstance(waits, Waiting)
            assert f"{first.ref} crosses first" in waits.reason
        harness.sandbox.faults.add(
            route="onprem.stats_app", e164=first.e164, kind="error", code=1003, status=403, times=0
        )
        await WaveLoop(app, app.runner.run_one, concurrency=2, patience=timedelta(seconds=20)).run(NumberSelection())
        board = await app.queries.positions.board()
    assert [(row.ref, row.side, row.status) for row in board] == [
        (first.ref, Side.ON_PREMISES, Status.BLOCKED),
        *((row.ref, Side.CLOUD, Status.DONE) for row in others),
    ]
