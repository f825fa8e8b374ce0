"""A wave in the loop: all of it, its window, its halt rule, its end."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from migration.app import App
from migration.engine.runner import Busy
from migration.operations.numbers import switch_itinerary
from migration.operations.waves import begin_wave, hold_wave, release_wave
from migration.steps.outcomes import Held, Outcome
from migration.waves.loop import NumberSelection, WaveLoop, numbers_to_sweep
from migration.waves.window import longest_cutover
from state.enums import Released, Side, Status, WaveState
from state.ledger.waves import NewWave
from state.models import MigrationTable
from state.queries.due import WavePart
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.in_process import MakeHarness

SOON = timedelta(seconds=30)


def _loop(app: App) -> WaveLoop:
    return WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON)


async def test_a_wave_ends_when_its_numbers_have(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        assert (await app.queries.waves.get("north")).state is WaveState.DONE
        assert {at.side for at in await app.queries.positions.board(wave="north")} == {Side.CLOUD}
    assert all(harness.mutations(at).count("register") == 1 for at in board)


async def test_everything_reversible_is_done_before_the_gate(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, wave="north", hook="senders")
        await begin_wave(app, "north")
        await hold_wave(app, "north", "not yet")
        await _loop(app).run(NumberSelection(wave="north"))
        held = await app.queries.positions.board(wave="north")
        assert {(at.status, at.next_step) for at in held} == {(Status.HELD, "pause_sends")}
        assert all(harness.mutations(at) == ["onprem.two_step"] for at in board)
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        assert {at.side for at in await app.queries.positions.board(wave="north")} == {Side.CLOUD}


async def test_the_canary_goes_first_and_alone(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 5)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", canary_size=2, released=Released.CANARY)
        await app.ledger.waves.create(new, [at.migration_id for at in board])
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        sides = [at.side for at in await app.queries.positions.board(wave="north")]
        assert sides == [Side.CLOUD] * 2 + [Side.ON_PREMISES] * 3
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        assert {at.side for at in await app.queries.positions.board(wave="north")} == {Side.CLOUD}


async def test_a_wave_halts_itself_when_too_many_fail(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 6)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda at: at.migration_id)
        await app.ledger.waves.create(NewWave("north", halt_count=2), [at.migration_id for at in board])
        for at in board[:2]:
            harness.sandbox_number(at).banned = True
        await begin_wave(app, "north")
        await WaveLoop(app, app.runner.run_one, concurrency=1, patience=SOON).run(NumberSelection(wave="north"))
        row = await app.queries.waves.get("north")
        after = sorted(await app.queries.positions.board(wave="north"), key=lambda at: at.migration_id)
        assert row.state is WaveState.HALTED
        assert row.because == "2 numbers failed; the halt rule allows 1"
        assert [at.status for at in after] == [Status.BLOCKED] * 2 + [Status.HELD] * 4
    assert all("register" not in harness.mutations(at) for at in board)


async def test_no_cutover_begins_that_cannot_end_in_the_window(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", window_end=harness.clock.now() + timedelta(minutes=2))
        await app.ledger.waves.create(new, [at.migration_id for at in board])
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        held = await app.queries.positions.board(wave="north")
        assert {at.status for at in held} == {Status.HELD}
        assert all("no room left" in (at.reason or "") for at in held)
    assert all("register" not in harness.mutations(at) for at in board)


WAYS = {"healthy": "WITH_BACKUP", "no_backup": "CODE_FIRST", "stopped": "CODE_AFTER", "new": "ONBOARD"}


@pytest.mark.parametrize("kind", WAYS)
async def test_each_way_needs_room_for_the_whole_of_its_cutover(make_harness: MakeHarness, kind: str) -> None:
    """One second too little keeps a number on its side; asked at the gate, by the update that would begin it."""
    way = WAYS[kind]
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app)
        if at.itinerary != way:
            await switch_itinerary(app, at.ref, way, "as it is", "tester")
        await app.ledger.waves.create(NewWave("north", released=Released.NONE), [at.migration_id])
        await begin_wave(app, "north")
        assert isinstance(await harness.run_number(app, at.ref), Held)
        at = await app.queries.positions.get(at.migration_id)
        room, now = longest_cutover(at), await app.queries.now()
        await app.ledger.waves.release("north", Released.ALL)
        await app.ledger.waves.set_window("north", None, now + room - timedelta(seconds=1), "UTC")
        said = await app.runner.run_one(at.migration_id)
        assert isinstance(said, Held)
        assert "no room left" in said.reason
        assert not {"pause_sends", "command.stop", "register"} & set(harness.mutations(at))
        await app.ledger.waves.set_window("north", None, now + room + timedelta(seconds=1), "UTC")
        await harness.run_number(app, at.ref)
        assert (await app.queries.positions.get(at.migration_id)).side is Side.CLOUD


async def test_a_dead_token_halts_its_profile(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        for token in harness.sandbox.world.tokens.values():
            token.expires_at = harness.clock.now()
        await app.runner.run_one(board[0].migration_id)
        (profile,) = await app.queries.fleet.profiles()
        assert "190" in profile["halted_because"]
        for at in board:
            await app.runner.run_one(at.migration_id)
        after = await app.queries.positions.board()
        assert {(at.status, at.side) for at in after} == {(Status.HELD, Side.ON_PREMISES)}
    assert all("register" not in harness.mutations(at) for at in board)


async def test_a_sweep_keeps_to_the_halt_rule_and_to_the_concurrency_of_every_wave(make_harness: MakeHarness) -> None:
    """What is taken up by a sweep, or by nobody's name, is still of its wave."""
    harness = await make_harness(kinds=["healthy"] * 6)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda at: at.migration_id)
        await app.ledger.waves.create(NewWave("north", halt_count=1, concurrency=1), [at.migration_id for at in board])
        harness.sandbox_number(board[0]).banned = True
        await begin_wave(app, "north")
        due = set(await app.queries.due.due_now())
        await WaveLoop(app, app.runner.run_one, concurrency=20, patience=SOON).run(NumberSelection(only=due))
        row = await app.queries.waves.get("north")
        assert (row.state, row.because) == (WaveState.HALTED, "1 number failed; the halt rule allows 0")
        failed = next(
            one.at for one in await app.queries.records.events(board[0].migration_id) if one.kind == "blocked"
        )
    assert all(one.at <= failed for one in harness.sandbox.world.calls if one.call == "register")


async def test_two_loops_and_a_sweep_move_no_more_at_once_than_the_wave_allows(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 9)
    async with harness.worker() as app, harness.worker() as other:
        board = await harness.import_numbers(app)
        await app.ledger.waves.create(NewWave("north", concurrency=2), [at.migration_id for at in board])
        await begin_wave(app, "north")
        most = 0

        async def counted() -> None:
            nonlocal most
            asked = select(func.count()).where(MigrationTable.moving_until.is_not(None))
            async with app.database.connect() as connection:
                most = max(most, (await connection.execute(asked)).scalar_one())

        loops = [
            WaveLoop(at, at.runner.run_one, concurrency=20, patience=SOON).run(one, counted)
            for at, one in (
                (app, NumberSelection(wave="north", part=0, parts=2)),
                (other, NumberSelection(wave="north", part=1, parts=2)),
                (app, NumberSelection(only={at.migration_id for at in board})),
            )
        ]
        await asyncio.gather(*loops)
        assert {at.side for at in await app.queries.positions.board()} == {Side.CLOUD}
    assert most == 2
    assert all(harness.mutations(at).count("register") == 1 for at in board)


async def test_parts_are_of_one_size_whatever_the_numbers_are_called(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 12)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda at: at.migration_id)
        mine = [at.migration_id for at in board if at.migration_id % 3 == 0]
        await app.ledger.waves.create(NewWave("north"), mine)
        parts = [await app.queries.due.due_now(WavePart("north", at, 3)) for at in range(3)]
    assert sorted(len(part) for part in parts) == [1, 1, 2]
    assert sorted(one for part in parts for one in part) == mine


async def test_a_halted_wave_that_is_released_moves_the_rest(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda at: at.migration_id)
        await app.ledger.waves.create(NewWave("north", halt_count=1, concurrency=1), [at.migration_id for at in board])
        harness.sandbox_number(board[0]).banned = True
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        assert (await app.queries.waves.get("north")).state is WaveState.HALTED
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        sides = [at.side for at in sorted(await app.queries.positions.board(), key=lambda at: at.migration_id)]
        assert (await app.queries.waves.get("north")).state is WaveState.RUNNING
    assert sides[1:] == [Side.CLOUD] * 3
    assert "register" not in harness.mutations(board[0])


async def test_a_loop_at_the_gate_hears_a_release_within_seconds(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", canary_size=1, released=Released.NONE)
        await app.ledger.waves.create(new, [at.migration_id for at in board])
        await begin_wave(app, "north")
        began = harness.clock.now()
        released: list[datetime] = []

        async def tick() -> None:
            now = harness.clock.now()
            if now - began >= timedelta(minutes=3) and not released:
                released.append(now)
                await release_wave(app, "north", canary=False, only=[])

        loop = WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON, gate_patience=timedelta(minutes=10))
        await loop.run(NumberSelection(wave="north"), tick)
        assert {at.side for at in await app.queries.positions.board()} == {Side.CLOUD}
        crossed = [one.at for one in harness.sandbox.world.calls if one.call == "register"]
    assert len(crossed) == 2
    assert timedelta() <= min(crossed) - released[0] <= timedelta(seconds=5)


async def test_a_loop_stays_at_the_gate_no_longer_than_told_and_not_beyond_the_window(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", released=Released.NONE)
        await app.ledger.waves.create(new, [at.migration_id for at in board])
        await begin_wave(app, "north")

        async def stayed() -> timedelta:
            began = harness.clock.now()
            loop = WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON, gate_patience=timedelta(minutes=3))
            await loop.run(NumberSelection(wave="north"))
            return harness.clock.now() - began

        assert timedelta(minutes=3) <= await stayed() <= timedelta(minutes=4)
        end = harness.clock.now() + timedelta(minutes=2)
        await app.ledger.waves.set_window("north", None, end, "UTC")
        assert timedelta(minutes=2) <= await stayed() <= timedelta(minutes=3)
        await app.ledger.waves.set_window("north", None, None, "UTC")
        await app.ledger.waves.set_state("north", WaveState.STOPPED, allowed=[WaveState.RUNNING], because="over")
        assert await stayed() <= timedelta(minutes=1)


@pytest.mark.parametrize("by", ["the wave's loop", "a sweep"])
async def test_what_a_dead_worker_held_goes_on_at_once(make_harness: MakeHarness, by: str) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (at,) = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        await hold_wave(app, "north", "not yet")
        await _loop(app).run(NumberSelection(wave="north"))
        await release_wave(app, "north", canary=False, only=[])
    harness.crash_point = CrashPoint(after_send=1)
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await app.runner.run_one(at.migration_id)
    assert harness.mutations(at)[-1] == "register"
    killed_at = harness.clock.now()
    async with harness.worker() as app:
        await _loop(app).run(NumberSelection(wave="north"))
        assert (await app.queries.positions.get(at.migration_id)).status is Status.RUNNING, (
            "nobody knows that it is dead"
        )
        beside_it = replace(app, is_gone=lambda holder: holder == "worker-2")
        chosen = NumberSelection(wave="north")
        if by == "a sweep":
            assert await numbers_to_sweep(app) == await numbers_to_sweep(beside_it, dry_run=True) == ()
            chosen = NumberSelection(only=await numbers_to_sweep(beside_it))
        await _loop(beside_it).run(chosen)
        assert (await app.queries.positions.get(at.migration_id)).status is Status.DONE
    assert harness.clock.now() - killed_at < timedelta(seconds=15)
    assert harness.mutations(at).count("register") == 1


async def test_numbers_turned_away_for_one_that_has_stopped_since_are_taken_up(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        first, *others = [at.migration_id for at in await harness.import_numbers(app)]
        came, over = set[int](), asyncio.Event()

        async def run_one(migration_id: int) -> Outcome | Busy:
            if migration_id in came:
                return await app.runner.run_one(migration_id)
            came.add(migration_id)
            if migration_id in others:
                await over.wait()
                return Busy("no room")
            outcome = await app.runner.run_one(first)
            over.set()
            return outcome

        chosen = NumberSelection(only={first, *others})
        await WaveLoop(app, run_one, concurrency=5, patience=SOON).run(chosen)
        assert {at.status for at in await app.queries.positions.board()} == {Status.DONE}
