"""What fails for one number and would fail for the others stops them before they spend a call."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from migration.app import App
from migration.operations.numbers import retry_number
from migration.operations.waves import begin_wave
from migration.waves.loop import NumberSelection, WaveLoop
from state.enums import Side, Status, WaveState
from state.ledger.waves import NewWave
from state.rows import Position
from tests.harness.in_process import Harness, MakeHarness

SOON = timedelta(minutes=20)


async def begin(app: App, board: list[Position]) -> None:
    numbers = sorted(position.migration_id for position in board)
    await app.ledger.waves.create(NewWave("north", concurrency=1), numbers)
    await begin_wave(app, "north")


async def run(app: App) -> None:
    await WaveLoop(app, app.runner.run_one, concurrency=1, patience=SOON).run(NumberSelection(wave="north"))


def registers(harness: Harness, board: list[Position]) -> list[int]:
    return sorted(harness.mutations(position).count("register") for position in board)


FAULTS: list[dict[str, Any]] = [{"kind": "500"}, {"kind": "html"}, {"kind": "error", "code": 131016}]


@pytest.mark.parametrize("fault", FAULTS, ids=["500", "a page", "131016"])
async def test_graph_that_fails_at_one_number_is_called_for_no_other(
    make_harness: MakeHarness, fault: dict[str, Any]
) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        await begin(app, board)
        harness.sandbox.faults.add(route="register", e164=None, effect=False, times=999, **fault)
        await run(app)
        row = await app.queries.waves.get("north")
        after = await app.queries.positions.board(wave="north")
    assert registers(harness, board) == [0, 0, 0, 2]  # made once more, and not until nothing is left of the ten
    assert row.state is WaveState.HALTED
    assert (row.because or "").startswith("what stopped N-")
    assert {position.side for position in after} == {Side.ON_PREMISES}
    assert sorted(position.status for position in after) == [Status.BLOCKED, *[Status.HELD] * 3]


async def test_one_failure_holds_the_others_only_until_it_is_settled(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        await begin(app, board)
        harness.sandbox.faults.add(route="register", e164=None, kind="500", effect=False, times=1)
        await run(app)
        after = await app.queries.positions.board(wave="north")
    assert registers(harness, board) == [1, 1, 2]
    assert {position.side for position in after} == {Side.CLOUD}


async def test_terms_that_are_not_accepted_stop_the_numbers_of_that_business(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    numbers = list(harness.sandbox.world.numbers.values())
    for number in numbers:
        number.tos_missing = True
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        await begin(app, board)
        await run(app)
        assert (await app.queries.waves.get("north")).state is WaveState.RUNNING
        assert sum(registers(harness, board)) == 1
        held = [p for p in await app.queries.positions.board(wave="north") if p.status is Status.HELD]
        assert ["has not accepted Meta's Terms" in (position.reason or "") for position in held] == [True, True]
        for number in numbers:
            number.tos_missing = False
        (blocked,) = [p for p in await app.queries.positions.board(wave="north") if p.status is Status.BLOCKED]
        await retry_number(app, blocked.ref, "accepted in WhatsApp Manager", "tester")
        harness.clock.advance(120)
        await run(app)
        after = await app.queries.positions.board(wave="north")
    assert {position.side for position in after} == {Side.CLOUD}


async def test_terms_of_one_business_stop_no_other(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4, numbers_per_waba=2)
    first, second, *_ = harness.sandbox.world.numbers.values()
    first.tos_missing = second.tos_missing = True
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        assert [position.customer == board[0].customer for position in board] == [True, True, False, False]
        await begin(app, board)
        await run(app)
        after = await app.queries.positions.board(wave="north")
    assert [position.side is Side.CLOUD for position in after] == [False, False, True, True]
    assert sum(registers(harness, board)) == 3


async def test_a_dark_number_is_tried_further_and_further_apart(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["dark"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        harness.sandbox.faults.add(route="register", e164=None, kind="500", effect=False, times=3)
        await harness.run_number(app, position.ref)
        position = await app.queries.positions.get(position.migration_id)
    assert position.side is Side.CLOUD
    calls = [call.at for call in harness.sandbox.world.calls if call.call == "register"]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(calls)]
    assert len(calls) == 4
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 240


@pytest.mark.parametrize("code", [100, 200, 133004])
async def test_terms_are_the_customer_s_whatever_code_says_so(make_harness: MakeHarness, code: int) -> None:
    """Under 200 they were taken for a permission of the token, and under 133004 for a service that is down."""
    harness = await make_harness(kinds=["healthy"] * 3, switches={"tos_code": code})
    for number in harness.sandbox.world.numbers.values():
        number.tos_missing = True
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        await begin(app, board)
        await run(app)
        row = await app.queries.waves.get("north")
        profiles = await app.queries.fleet.profiles()
        after = await app.queries.positions.board(wave="north")
    assert (row.state, [profile["halted_at"] for profile in profiles]) == (WaveState.RUNNING, [None])
    assert sum(registers(harness, board)) == 1
    (blocked,) = [position for position in after if position.status is Status.BLOCKED]
    assert blocked.runbook == "runbooks/terms-of-service.md"
    assert {position.status for position in after if position is not blocked} == {Status.HELD}


@pytest.mark.parametrize(
    ("status", "body"), [(401, b""), (403, b"<html>no</html>"), (407, b'{"error": {"code": 407}}')]
)
async def test_a_proxy_that_refuses_each_reading_blocks_no_number_and_all_go_on_after_it(
    make_harness: MakeHarness, status: int, body: bytes
) -> None:
    """For half an hour, from the import on: nothing is booked on a number, a profile or the wave."""
    harness = await make_harness(kinds=["healthy", "healthy", "verified"], numbers_per_waba=3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, hook="senders")
        await begin(app, board)
        mended = harness.clock.now() + timedelta(minutes=30)

        async def intercepted(request: httpx.Request, response: httpx.Response) -> httpx.Response:
            graph = request.url.path.startswith("/v25.0/")
            return httpx.Response(status, content=body) if graph and harness.clock.now() < mended else response

        harness.change_answer = intercepted
        for _ in range(3):
            await run(app)
            seen = await app.queries.positions.board(wave="north")
            assert Status.BLOCKED not in {position.status for position in seen}, [one.reason for one in seen]
            harness.clock.advance(300)
        profiles = await app.queries.fleet.profiles()
    assert [profile["halted_at"] for profile in profiles] == [None]
    assert {position.side for position in seen} == {Side.CLOUD}
    assert registers(harness, board) == [1, 1, 1]
