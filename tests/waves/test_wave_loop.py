"""The wave loop: order, gate, window, halt rule, concurrency limit and end of a wave."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select

from migration.app import App
from migration.engine.runner import Busy
from migration.operations.numbers import switch_itinerary
from migration.operations.waves import begin_wave, hold_wave, release_wave
from migration.steps.outcomes import Held, Outcome
from migration.waves.loop import DATABASE_BACK_WITHIN, NumberSelection, WaveLoop, numbers_to_sweep
from migration.waves.window import longest_cutover
from state.enums import Released, Side, Status, WaveState
from state.errors import DatabaseAway
from state.ledger.waves import NewWave
from state.models import MigrationTable
from state.queries.due import WavePart
from state.rows import Position
from tests.harness.crash_point import CrashPoint, Killed
from tests.harness.in_process import Harness, MakeHarness

SOON = timedelta(seconds=30)


def _loop(app: App, patience: timedelta = SOON) -> WaveLoop:
    return WaveLoop(app, app.runner.run_one, concurrency=5, patience=patience)


async def begin_wave_whose_first_number_fails(harness: Harness, app: App) -> list[Position]:
    """Its halt rule allows none, and it moves one at a time."""
    board = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
    new = NewWave("north", halt_count=1, concurrency=1)
    await app.ledger.waves.create(new, [position.migration_id for position in board])
    harness.sandbox_number(board[0]).banned = True
    await begin_wave(app, "north")
    return board


async def test_a_wave_ends_when_its_numbers_have_ended(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        assert (await app.queries.waves.get("north")).state is WaveState.DONE
        assert {position.side for position in await app.queries.positions.board(wave="north")} == {Side.CLOUD}
    assert all(harness.mutations(position).count("register") == 1 for position in board)


@dataclass
class AwayDatabase:
    """The database of a worker, which does not answer for `seconds` from its nth commit on."""

    harness: Harness
    nth: int
    seconds: float
    until: datetime | None = None

    def watch(self, app: App) -> None:
        self.harness.crash_point = CrashPoint(on_commit=self._commit)
        event.listen(app.database.sync_engine, "before_cursor_execute", self._answer)

    def _commit(self) -> None:
        if self.harness.crash_point.commits == self.nth:
            self.until = self.harness.clock.now() + timedelta(seconds=self.seconds)

    def _answer(self, *_: object) -> None:
        if self.until is not None and self.harness.clock.now() < self.until:
            raise DatabaseAway("the test has taken it away")


# Before the gate, around the stop and `register` of several, and near the end.
@pytest.mark.parametrize("nth", [5, 28, 34, 37, 40, 43, 46, 60])
async def test_a_database_that_is_away_for_a_while_ends_no_wave(make_harness: MakeHarness, nth: int) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        away = AwayDatabase(harness, nth, 20.0)
        away.watch(app)
        # Where it went away inside a stop command, nothing is settled before the time limit of that has passed.
        await _loop(app, timedelta(minutes=2)).run(NumberSelection(wave="north"))
        assert away.until is not None
        ended = await app.queries.positions.board(wave="north")
        assert {(position.side, position.status) for position in ended} == {(Side.CLOUD, Status.DONE)}
    assert [harness.mutations(position).count("register") for position in board] == [1, 1, 1]


async def test_a_database_that_does_not_come_back_ends_the_loop(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        away = AwayDatabase(harness, 3, 10 * DATABASE_BACK_WITHIN.total_seconds())
        away.watch(app)
        began = harness.clock.now()
        with pytest.raises(DatabaseAway):
            await _loop(app).run(NumberSelection(wave="north"))
        assert harness.clock.now() - began >= DATABASE_BACK_WITHIN
        away.until = None


async def test_everything_reversible_is_done_before_the_gate(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        board = await harness.import_numbers(app, wave="north", hook="senders")
        await begin_wave(app, "north")
        await hold_wave(app, "north", "not yet")
        await _loop(app).run(NumberSelection(wave="north"))
        held = await app.queries.positions.board(wave="north")
        assert {(position.status, position.next_step) for position in held} == {(Status.HELD, "pause_sends")}
        assert all(harness.mutations(position) == ["onprem.two_step"] for position in board)
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        assert {position.side for position in await app.queries.positions.board(wave="north")} == {Side.CLOUD}


async def test_the_canary_moves_first_and_alone(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 5)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", canary_size=2, released=Released.CANARY)
        await app.ledger.waves.create(new, [position.migration_id for position in board])
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        sides = [position.side for position in await app.queries.positions.board(wave="north")]
        assert sides == [Side.CLOUD] * 2 + [Side.ON_PREMISES] * 3
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        assert {position.side for position in await app.queries.positions.board(wave="north")} == {Side.CLOUD}


async def test_a_wave_halts_when_too_many_numbers_fail(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 6)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
        await app.ledger.waves.create(NewWave("north", halt_count=2), [position.migration_id for position in board])
        await begin_wave(app, "north")
        first = (await app.queries.due.due_now(WavePart("north", 0, 1)))[:2]
        for position in board:
            harness.sandbox_number(position).banned = position.migration_id in first
        await WaveLoop(app, app.runner.run_one, concurrency=1, patience=SOON).run(NumberSelection(wave="north"))
        row = await app.queries.waves.get("north")
        after = sorted(await app.queries.positions.board(wave="north"), key=lambda position: position.migration_id)
        assert row.state is WaveState.HALTED
        assert row.because == "2 numbers failed; the halt rule allows 1"
        assert {p.migration_id for p in after if p.status is Status.BLOCKED} == set(first)
        assert [p.status for p in after if p.migration_id not in first] == [Status.HELD] * 4
    assert all("register" not in harness.mutations(position) for position in board)


async def test_no_cutover_begins_that_cannot_end_within_the_window(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", window_end=harness.clock.now() + timedelta(minutes=2))
        await app.ledger.waves.create(new, [position.migration_id for position in board])
        await begin_wave(app, "north")
        await _loop(app).run(NumberSelection(wave="north"))
        held = await app.queries.positions.board(wave="north")
        assert {position.status for position in held} == {Status.HELD}
        assert all("no room left" in (position.reason or "") for position in held)
    assert all("register" not in harness.mutations(position) for position in board)


ITINERARIES = {"healthy": "WITH_BACKUP", "no_backup": "CODE_FIRST", "stopped": "CODE_AFTER", "new": "ONBOARD"}


@pytest.mark.parametrize("kind", ITINERARIES)
async def test_each_itinerary_needs_time_for_its_whole_cutover(make_harness: MakeHarness, kind: str) -> None:
    """One second too little in the window keeps a number at the gate."""
    itinerary = ITINERARIES[kind]
    harness = await make_harness(kinds=[kind])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app)
        if position.itinerary != itinerary:
            await switch_itinerary(app, position.ref, itinerary, "as it is", "tester")
        await app.ledger.waves.create(NewWave("north", released=Released.NONE), [position.migration_id])
        await begin_wave(app, "north")
        assert isinstance(await harness.run_number(app, position.ref), Held)
        position = await app.queries.positions.get(position.migration_id)
        room, now = longest_cutover(position), await app.queries.now()
        await app.ledger.waves.release("north", Released.ALL)
        await app.ledger.waves.set_window("north", None, now + room - timedelta(seconds=1), "UTC")
        outcome = await app.runner.run_one(position.migration_id)
        assert isinstance(outcome, Held)
        assert "no room left" in outcome.reason
        assert not {"pause_sends", "command.stop", "register"} & set(harness.mutations(position))
        await app.ledger.waves.set_window("north", None, now + room + timedelta(seconds=1), "UTC")
        await harness.run_number(app, position.ref)
        assert (await app.queries.positions.get(position.migration_id)).side is Side.CLOUD


async def test_a_dead_token_halts_its_profile(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        for token in harness.sandbox.world.tokens.values():
            token.expires_at = harness.clock.now()
        await app.runner.run_one(board[0].migration_id)
        (profile,) = await app.queries.fleet.profiles()
        assert "190" in profile["halted_because"]
        for position in board:
            await app.runner.run_one(position.migration_id)
        after = await app.queries.positions.board()
        assert {(position.status, position.side) for position in after} == {(Status.HELD, Side.ON_PREMISES)}
    assert all("register" not in harness.mutations(position) for position in board)


async def test_a_sweep_obeys_the_halt_rule_and_concurrency_limit_of_every_wave(make_harness: MakeHarness) -> None:
    """A number that a sweep runs is still subject to the rules of its wave."""
    harness = await make_harness(kinds=["healthy"] * 6)
    async with harness.worker() as app:
        board = await begin_wave_whose_first_number_fails(harness, app)
        due = set(await app.queries.due.due_now())
        await WaveLoop(app, app.runner.run_one, concurrency=20, patience=SOON).run(NumberSelection(only=due))
        row = await app.queries.waves.get("north")
        assert (row.state, row.because) == (WaveState.HALTED, "1 number failed; the halt rule allows 0")
        failed = next(
            call.at for call in await app.queries.records.events(board[0].migration_id) if call.kind == "blocked"
        )
    assert all(call.at <= failed for call in harness.sandbox.world.calls if call.call == "register")


async def test_two_loops_and_a_sweep_together_obey_the_concurrency_limit(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 9)
    async with harness.worker() as app, harness.worker() as other:
        board = await harness.import_numbers(app)
        await app.ledger.waves.create(NewWave("north", concurrency=2), [position.migration_id for position in board])
        await begin_wave(app, "north")
        most = 0

        async def count_moving() -> None:
            nonlocal most
            query = select(func.count()).where(MigrationTable.moving_until.is_not(None))
            async with app.database.connect() as connection:
                most = max(most, (await connection.execute(query)).scalar_one())

        loops = [
            WaveLoop(worker, worker.runner.run_one, concurrency=20, patience=SOON).run(selection, count_moving)
            for worker, selection in (
                (app, NumberSelection(wave="north", part=0, parts=2)),
                (other, NumberSelection(wave="north", part=1, parts=2)),
                (app, NumberSelection(only={position.migration_id for position in board})),
            )
        ]
        await asyncio.gather(*loops)
        assert {position.side for position in await app.queries.positions.board()} == {Side.CLOUD}
    assert most == 2
    assert all(harness.mutations(position).count("register") == 1 for position in board)


async def test_a_run_of_a_wave_does_not_end_while_another_worker_moves_it(make_harness: MakeHarness) -> None:
    harness = await make_harness()
    async with harness.worker() as app, harness.worker() as other:
        (position,) = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        await other.ledger.leases.acquire(position.migration_id, other.holder, timedelta(minutes=2), exempt=[])
        await _loop(app).run(NumberSelection(wave="north"))
        after = await app.queries.positions.get(position.migration_id)
    assert after.side is Side.CLOUD  # by this run, once the other one's lease was over


async def test_parts_of_a_wave_have_equal_sizes(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 12)
    async with harness.worker() as app:
        board = sorted(await harness.import_numbers(app), key=lambda position: position.migration_id)
        members = [position.migration_id for position in board if position.migration_id % 3 == 0]
        await app.ledger.waves.create(NewWave("north"), members)
        parts = [await app.queries.due.due_now(WavePart("north", index, 3)) for index in range(3)]
    assert sorted(len(part) for part in parts) == [1, 1, 2]
    assert sorted(migration_id for part in parts for migration_id in part) == members


async def test_a_halted_wave_that_is_released_moves_the_rest(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 4)
    async with harness.worker() as app:
        board = await begin_wave_whose_first_number_fails(harness, app)
        await _loop(app).run(NumberSelection(wave="north"))
        assert (await app.queries.waves.get("north")).state is WaveState.HALTED
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(NumberSelection(wave="north"))
        sides = [
            position.side
            for position in sorted(await app.queries.positions.board(), key=lambda position: position.migration_id)
        ]
        assert (await app.queries.waves.get("north")).state is WaveState.RUNNING
    assert sides[1:] == [Side.CLOUD] * 3
    assert "register" not in harness.mutations(board[0])


@pytest.mark.slow
async def test_a_loop_at_the_gate_notices_a_release_within_seconds(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 2)
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", canary_size=1, released=Released.NONE)
        await app.ledger.waves.create(new, [position.migration_id for position in board])
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
        assert {position.side for position in await app.queries.positions.board()} == {Side.CLOUD}
        crossed = [call.at for call in harness.sandbox.world.calls if call.call == "register"]
    assert len(crossed) == 2
    assert timedelta() <= min(crossed) - released[0] <= timedelta(seconds=5)


@pytest.mark.slow
async def test_a_loop_stays_at_the_gate_for_its_patience_but_not_beyond_the_window(
    make_harness: MakeHarness,
) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        board = await harness.import_numbers(app)
        new = NewWave("north", released=Released.NONE)
        await app.ledger.waves.create(new, [position.migration_id for position in board])
        await begin_wave(app, "north")

        async def run_loop() -> timedelta:
            began = harness.clock.now()
            loop = WaveLoop(app, app.runner.run_one, concurrency=5, patience=SOON, gate_patience=timedelta(minutes=3))
            await loop.run(NumberSelection(wave="north"))
            return harness.clock.now() - began

        assert timedelta(minutes=3) <= await run_loop() <= timedelta(minutes=4)
        end = harness.clock.now() + timedelta(minutes=2)
        await app.ledger.waves.set_window("north", None, end, "UTC")
        assert timedelta(minutes=2) <= await run_loop() <= timedelta(minutes=3)
        await app.ledger.waves.set_window("north", None, None, "UTC")
        await app.ledger.waves.set_state("north", WaveState.STOPPED, allowed=[WaveState.RUNNING], because="over")
        assert await run_loop() <= timedelta(minutes=1)


@pytest.mark.parametrize("by", ["the wave's loop", "a sweep"])
async def test_a_number_of_a_dead_worker_continues_at_once(make_harness: MakeHarness, by: str) -> None:
    harness = await make_harness(kinds=["healthy"])
    async with harness.worker() as app:
        (position,) = await harness.import_numbers(app, wave="north")
        await begin_wave(app, "north")
        await hold_wave(app, "north", "not yet")
        await _loop(app).run(NumberSelection(wave="north"))
        await release_wave(app, "north", canary=False, only=[])
    harness.crash_point = CrashPoint(after_send=1)
    with pytest.raises(Killed):
        async with harness.worker() as app:
            await app.runner.run_one(position.migration_id)
    assert harness.mutations(position)[-1] == "register"
    killed_at = harness.clock.now()
    async with harness.worker() as app:
        assert await app.queries.due.due_now(WavePart("north")) == ()  # the worker is not known to be dead
        on_same_machine = replace(app, is_gone=lambda holder: holder == "worker-2")
        selection = NumberSelection(wave="north")
        if by == "a sweep":
            assert await numbers_to_sweep(app) == await numbers_to_sweep(on_same_machine, dry_run=True) == ()
            selection = NumberSelection(only=await numbers_to_sweep(on_same_machine))
        await _loop(on_same_machine).run(selection)
        assert (await app.queries.positions.get(position.migration_id)).status is Status.DONE
    assert harness.clock.now() - killed_at < timedelta(seconds=15)
    assert harness.mutations(position).count("register") == 1


async def test_numbers_refused_for_lack_of_room_are_retried_when_there_is_room(make_harness: MakeHarness) -> None:
    harness = await make_harness(kinds=["healthy"] * 3)
    async with harness.worker() as app:
        first, *others = [position.migration_id for position in await harness.import_numbers(app)]
        started, first_is_done = set[int](), asyncio.Event()

        async def run_one(migration_id: int) -> Outcome | Busy:
            if migration_id in started:
                return await app.runner.run_one(migration_id)
            started.add(migration_id)
            if migration_id in others:
                await first_is_done.wait()
                return Busy("no room")
            outcome = await app.runner.run_one(first)
            first_is_done.set()
            return outcome

        selection = NumberSelection(only={first, *others})
        await WaveLoop(app, run_one, concurrency=5, patience=SOON).run(selection)
        assert {position.status for position in await app.queries.positions.board()} == {Status.DONE}
