"""The gate is a condition of the update that commits an intent: a gate that closes after `check` stops the call."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from state.enums import Released, Side, Status, WaveState
from state.errors import GateClosed
from state.ledger.changes import ProfileHalted, SideRead
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from state.models import CredentialProfileTable, HomeTable, MigrationTable
from state.rows import Lease
from state.service import Service
from tests.harness.ledger_fixture import MINUTE, START, LedgerFixture

HOUR = timedelta(hours=1)
GateChange = Callable[[LedgerFixture, int], Awaitable[None]]


async def hold_number(fixture: LedgerFixture, migration: int) -> None:
    await fixture.ledger.operator_changes.hold(migration, True, "tester")


async def make_wave(
    fixture: LedgerFixture, migration: int, state: WaveState = WaveState.RUNNING, **options: object
) -> None:
    await fixture.ledger.waves.create(NewWave("first", **options), [migration])  # type: ignore[arg-type]
    if state is not WaveState.PLANNED:
        await fixture.ledger.waves.set_state("first", state, allowed=[WaveState.PLANNED], because="a reason")


async def release_by_name(fixture: LedgerFixture, migration: int) -> None:
    await make_wave(fixture, migration, released=Released.NONE)
    await fixture.ledger.waves.release_numbers("first", [migration])


async def halt_profile(fixture: LedgerFixture, migration: int) -> None:
    halt = update(CredentialProfileTable).values(halted_at=START, halted_because="token refused")
    async with fixture.engine.begin() as tx:
        await tx.execute(halt)


def start_failing_wave(**rule: object) -> GateChange:
    """A running wave of two numbers of which the other is blocked; nobody has halted the wave yet."""

    async def close(fixture: LedgerFixture, migration: int) -> None:
        other = await fixture.import_number(2)
        lease = await fixture.lease(other, "worker-9")
        await fixture.ledger.waves.create(NewWave("first", **rule), [migration, other])  # type: ignore[arg-type]
        await fixture.ledger.waves.set_state("first", WaveState.RUNNING, allowed=[WaveState.PLANNED])
        blocked = Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md")
        await fixture.ledger.moves.record(await fixture.reread(lease), blocked)

    return close


CLOSED: dict[str, tuple[GateChange, str]] = {
    "a hold on the number": (hold_number, "the number is on hold"),
    "a wave that has not begun": (lambda t, m: make_wave(t, m, WaveState.PLANNED), "wave first is planned"),
    "a wave held by a person": (lambda t, m: make_wave(t, m, WaveState.HELD), "wave first is held: a reason"),
    "a wave halted by its rule": (lambda t, m: make_wave(t, m, WaveState.HALTED), "wave first is halted: a reason"),
    "a stopped wave": (lambda t, m: make_wave(t, m, WaveState.STOPPED), "wave first is stopped"),
    "a window that has not begun": (lambda t, m: make_wave(t, m, window_start=START + HOUR), "has not begun"),
    "a window with no room left": (
        lambda t, m: make_wave(t, m, window_start=START - HOUR, window_end=START + 2 * MINUTE),
        "no room left",
    ),
    "a window that is over": (
        lambda t, m: make_wave(t, m, window_end=START - MINUTE),
        "window of wave first has ended",
    ),
    "a wave that is released for nobody": (lambda t, m: make_wave(t, m, released=Released.NONE), "not released for"),
    "a canary it does not belong to": (lambda t, m: make_wave(t, m, released=Released.CANARY), "for its canary, and"),
    "as many failures as the rule halts at": (
        start_failing_wave(halt_count=1),
        "1 number failed; the halt rule allows 0",
    ),
    "a larger share of failures than the rule allows": (
        start_failing_wave(halt_share=0.5),
        "1 number failed of 1; .* allows 50%",
    ),
    "a halted credential profile": (halt_profile, "credential profile main is halted: token refused"),
}
OPEN: dict[str, GateChange] = {
    "no wave": lambda t, m: t.ledger.operator_changes.hold(m, False, "tester"),
    "a running wave": make_wave,
    "a window with room": lambda t, m: make_wave(t, m, window_start=START, window_end=START + 3 * MINUTE),
    "fewer failures than the rule halts at": start_failing_wave(halt_count=2),
    "no larger share of failures than allowed": start_failing_wave(halt_share=1.0),
    "a release that names it": release_by_name,
    "the canary": lambda t, m: make_wave(t, m, released=Released.CANARY, canary_size=1),
}


async def open_cutover(fixture: LedgerFixture, lease: Lease) -> None:
    """Read the number again, then open an attempt that needs three minutes behind the gate."""
    lease = await fixture.reread(lease)
    await fixture.open_attempt(lease, gated=True, fits_in=3 * MINUTE, changes_side=True, budget="register")


async def open_gated_attempt(fixture: LedgerFixture, migration: int, close_gate: GateChange | None = None) -> None:
    """Take the lease, call `close_gate`, then open an attempt that needs three minutes."""
    lease = await fixture.lease(migration)
    if close_gate is not None:
        await close_gate(fixture, migration)
    await fixture.open_attempt(
        await fixture.reread(lease), gated=True, fits_in=3 * MINUTE, changes_side=True, budget="register"
    )


@pytest.mark.parametrize("case", CLOSED)
async def test_a_gate_that_closes_after_the_lease_stops_the_call(fixture: LedgerFixture, case: str) -> None:
    close, pattern = CLOSED[case]
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await close(fixture, migration)
    before = await fixture.row_counts()
    with pytest.raises(GateClosed, match=pattern):
        await fixture.open_attempt(
            await fixture.reread(lease), gated=True, fits_in=3 * MINUTE, changes_side=True, budget="register"
        )
    assert await fixture.row_counts() == before
    position = await fixture.queries.positions.get(migration)
    assert (position.side, position.crossed_at, position.dark_since) == (Side.ON_PREMISES, None, None)
    assert re.search(pattern, str(await fixture.queries.gate.why_closed(migration, 3 * MINUTE)))


@pytest.mark.parametrize("case", OPEN)
async def test_an_open_gate_lets_the_call_through(fixture: LedgerFixture, case: str) -> None:
    migration = await fixture.import_number()
    await open_gated_attempt(fixture, migration, OPEN[case])
    position = await fixture.queries.positions.get(migration)
    assert (position.side, position.crossed_at, position.dark_since, position.dark_by_us) == (
        Side.UNKNOWN,
        START,
        START,
        True,
    )


async def test_a_step_without_a_gate_is_not_stopped(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await hold_number(fixture, migration)
    await fixture.open_attempt(await fixture.reread(lease))


BEFORE_CROSSING_ONLY = [case for case in CLOSED if case != "a halted credential profile"]


@pytest.mark.parametrize("case", BEFORE_CROSSING_ONLY)
async def test_no_gate_stops_a_number_past_the_point_of_no_return(fixture: LedgerFixture, case: str) -> None:
    migration = await fixture.import_number()
    await open_gated_attempt(fixture, migration)
    attempt = await fixture.queries.records.open_attempt(migration)
    assert attempt is not None
    lease = await fixture.lease(migration)
    await fixture.close_attempt(await fixture.reread(lease), attempt)
    await open_gated_attempt(fixture, migration, CLOSED[case][0])


async def test_a_halted_profile_stops_also_a_number_past_the_point_of_no_return(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await open_gated_attempt(fixture, migration)
    attempt = await fixture.queries.records.open_attempt(migration)
    assert attempt is not None
    await fixture.close_attempt(await fixture.lease(migration), attempt)
    with pytest.raises(GateClosed):
        await open_gated_attempt(fixture, migration, halt_profile)


async def test_a_profile_is_halted_with_the_move_and_released_by_name(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    profile = (await fixture.queries.positions.get(migration)).profile_id
    move = Move(
        "register", Status.HELD, "held", until=START + MINUTE, changes=(ProfileHalted(profile, "token refused"),)
    )
    await fixture.ledger.moves.record(await fixture.reread(lease), move)
    with pytest.raises(GateClosed):
        await open_gated_attempt(fixture, migration)
    await fixture.ledger.profiles.resume("main")
    await open_gated_attempt(fixture, migration)


async def test_a_released_wave_halts_again_only_for_later_failures(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await start_failing_wave(halt_count=1)(fixture, migration)
    [(name, because)] = await fixture.queries.waves.to_halt()
    await fixture.ledger.waves.set_state(name, WaveState.HALTED, allowed=[WaveState.RUNNING], because=because)
    await fixture.ledger.waves.set_state(name, WaveState.RUNNING, allowed=[WaveState.HALTED])
    assert await fixture.queries.waves.to_halt() == ()
    assert await fixture.queries.gate.why_closed(migration, 3 * MINUTE) is None
    lease = await fixture.lease(migration)
    blocked = Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md")
    await fixture.ledger.moves.record(await fixture.reread(lease), blocked)
    assert await fixture.queries.waves.to_halt() == (("first", "1 number failed; the halt rule allows 0"),)


async def begin_epoch_of(fixture: LedgerFixture) -> None:
    """A restore that leaves the number as it was: only the last door is left."""
    async with fixture.engine.begin() as tx:
        await tx.execute(update(HomeTable).values(epoch=HomeTable.epoch + 1))


@pytest.mark.parametrize("crossed", [False, True])
@pytest.mark.parametrize("gated", [False, True])
async def test_nothing_that_moves_a_number_leaves_before_both_sides_were_read_in_this_epoch(
    fixture: LedgerFixture, *, gated: bool, crossed: bool
) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await begin_epoch_of(fixture)
    if crossed:
        async with fixture.engine.begin() as tx:
            await tx.execute(update(MigrationTable).values(crossed_at=START))
    before = await fixture.row_counts()
    with pytest.raises(GateClosed, match="not read since the home was restored"):
        await fixture.open_attempt(lease, gated=gated, fits_in=3 * MINUTE, changes_side=True, budget="register")
    assert await fixture.row_counts() == before
    assert not (await fixture.queries.positions.get(migration)).sides_read
    await fixture.open_attempt(lease)  # a call that moves nothing is free


async def test_a_reading_in_this_epoch_opens_the_last_door(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await begin_epoch_of(fixture)
    lease = await fixture.lease(migration)
    changes = (SideRead(Side.ON_PREMISES),)
    step = (await fixture.queries.positions.get(migration)).next_step or ""
    await fixture.ledger.moves.record(lease, Move(step, Status.READY, "read", changes=changes))
    assert (await fixture.queries.positions.get(migration)).sides_read
    await open_cutover(fixture, await fixture.lease(migration))


async def test_a_decision_after_both_sides_were_read_opens_the_last_door(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await begin_epoch_of(fixture)
    await fixture.ledger.operator_changes.retry(migration, "looked", "tester", read=Service())
    await open_cutover(fixture, await fixture.lease(migration))
