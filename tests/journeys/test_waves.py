"""A wave in the loop: all of it, its window, its halt rule, its end."""

from datetime import timedelta

from migration.actions import begin_wave, hold_wave, release_wave
from migration.bootstrap import App
from migration.waves.loop import Slice, WaveLoop
from state.ledger.waves import NewWave
from state.sides import Released, Side, Status, WaveState
from tests.conftest import MakeRig

SOON = timedelta(seconds=30)


def _loop(app: App) -> WaveLoop:
    return WaveLoop(app, app.mover.run_one, concurrency=5, patience=SOON)


async def test_a_wave_ends_when_its_numbers_have(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 4)
    async with told.worker() as app:
        board = await told.imported(app, wave="north")
        await begin_wave(app, "north")
        await _loop(app).run(Slice(wave="north"))
        assert (await app.queries.wave("north")).state is WaveState.DONE
        assert {at.side for at in await app.queries.board(wave="north")} == {Side.CLOUD}
    assert all(told.mutations(at).count("register") == 1 for at in board)


async def test_everything_reversible_is_done_before_the_gate(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 3)
    async with told.worker() as app:
        board = await told.imported(app, wave="north", hook="senders")
        await begin_wave(app, "north")
        await hold_wave(app, "north", "not yet")
        await _loop(app).run(Slice(wave="north"))
        held = await app.queries.board(wave="north")
        assert {(at.status, at.next_step) for at in held} == {(Status.HELD, "pause_sends")}
        assert all(told.mutations(at) == ["onprem.two_step"] for at in board)
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(Slice(wave="north"))
        assert {at.side for at in await app.queries.board(wave="north")} == {Side.CLOUD}


async def test_the_canary_goes_first_and_alone(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 5)
    async with told.worker() as app:
        board = await told.imported(app)
        new = NewWave("north", canary_size=2, released=Released.CANARY)
        await app.ledger.waves.make(new, [at.migration_id for at in board])
        await begin_wave(app, "north")
        await _loop(app).run(Slice(wave="north"))
        sides = [at.side for at in await app.queries.board(wave="north")]
        assert sides == [Side.CLOUD] * 2 + [Side.ON_PREMISES] * 3
        await release_wave(app, "north", canary=False, only=[])
        await _loop(app).run(Slice(wave="north"))
        assert {at.side for at in await app.queries.board(wave="north")} == {Side.CLOUD}


async def test_a_wave_halts_itself_when_too_many_fail(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 6)
    async with told.worker() as app:
        board = sorted(await told.imported(app), key=lambda at: at.migration_id)
        await app.ledger.waves.make(NewWave("north", halt_count=2), [at.migration_id for at in board])
        for at in board[:2]:
            told.number(at).banned = True
        await begin_wave(app, "north")
        await WaveLoop(app, app.mover.run_one, concurrency=1, patience=SOON).run(Slice(wave="north"))
        row = await app.queries.wave("north")
        after = sorted(await app.queries.board(wave="north"), key=lambda at: at.migration_id)
        assert row.state is WaveState.HALTED
        assert row.because == "2 numbers failed; the halt rule allows 1"
        assert [at.status for at in after] == [Status.BLOCKED] * 2 + [Status.HELD] * 4
    assert all("register" not in told.mutations(at) for at in board)


async def test_no_cutover_begins_that_cannot_end_in_the_window(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 2)
    async with told.worker() as app:
        board = await told.imported(app)
        new = NewWave("north", window_end=told.clock.now() + timedelta(minutes=2))
        await app.ledger.waves.make(new, [at.migration_id for at in board])
        await begin_wave(app, "north")
        await _loop(app).run(Slice(wave="north"))
        held = await app.queries.board(wave="north")
        assert {at.status for at in held} == {Status.HELD}
        assert all("no room left" in (at.reason or "") for at in held)
    assert all("register" not in told.mutations(at) for at in board)


async def test_a_dead_token_halts_its_profile(rig: MakeRig) -> None:
    told = await rig(kinds=["healthy"] * 2)
    async with told.worker() as app:
        board = await told.imported(app)
        for token in told.sandbox.world.tokens.values():
            token.expires_at = told.clock.now()
        await app.mover.run_one(board[0].migration_id)
        (profile,) = await app.queries.profiles()
        assert "190" in profile["halted_because"]
        for at in board:
            await app.mover.run_one(at.migration_id)
        after = await app.queries.board()
        assert {(at.status, at.side) for at in after} == {(Status.HELD, Side.ON_PREMISES)}
    assert all("register" not in told.mutations(at) for at in board)
