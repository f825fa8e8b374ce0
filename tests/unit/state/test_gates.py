"""The gate is read in the very update of an intent: what closes it after `check` still stops the call."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from state.enums import Released, Side, Status, WaveState
from state.errors import GateClosed
from state.ledger import Move
from state.ledger.changes import ProfileHalted
from state.ledger.waves import NewWave
from state.models import CredentialProfile
from tests.harness.ledger_fixture import MINUTE, START, LedgerFixture

HOUR = timedelta(hours=1)
Closing = Callable[[LedgerFixture, int], Awaitable[None]]


async def held(fixture: LedgerFixture, migration: int) -> None:
    await fixture.ledger.operator_changes.hold(migration, True, "tester")


async def wave(fixture: LedgerFixture, migration: int, state: WaveState = WaveState.RUNNING, **more: object) -> None:
    await fixture.ledger.waves.make(NewWave("first", **more), [migration])  # type: ignore[arg-type]
    if state is not WaveState.PLANNED:
        await fixture.ledger.waves.move("first", state, allowed=[WaveState.PLANNED], because="a reason")


async def halted_profile(fixture: LedgerFixture, migration: int) -> None:
    halt = update(CredentialProfile).values(halted_at=START, halted_because="token refused")
    async with fixture.engine.begin() as tx:
        await tx.execute(halt)


def failing(**rule: object) -> Closing:
    """A running wave of two, of which the other one is blocked; nobody has halted it yet."""

    async def made(fixture: LedgerFixture, migration: int) -> None:
        other = await fixture.import_number(2)
        lease = await fixture.lease(other, "worker-9")
        await fixture.ledger.waves.make(NewWave("first", **rule), [migration, other])  # type: ignore[arg-type]
        await fixture.ledger.waves.move("first", WaveState.RUNNING, allowed=[WaveState.PLANNED])
        blocked = Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md")
        await fixture.ledger.moves.record(lease, blocked)

    return made


CLOSED: dict[str, tuple[Closing, str]] = {
    "a hold on the number": (held, "the number is on hold"),
    "a wave that has not begun": (lambda t, m: wave(t, m, WaveState.PLANNED), "wave first is planned"),
    "a wave held by a person": (lambda t, m: wave(t, m, WaveState.HELD), "wave first is held: a reason"),
    "a wave halted by its rule": (lambda t, m: wave(t, m, WaveState.HALTED), "wave first is halted: a reason"),
    "a stopped wave": (lambda t, m: wave(t, m, WaveState.STOPPED), "wave first is stopped"),
    "a window that has not begun": (lambda t, m: wave(t, m, window_start=START + HOUR), "has not begun"),
    "a window with no room left": (
        lambda t, m: wave(t, m, window_start=START - HOUR, window_end=START + 2 * MINUTE),
        "no room left",
    ),
    "a window that is over": (lambda t, m: wave(t, m, window_end=START - MINUTE), "window of wave first has ended"),
    "a wave that is released for nobody": (lambda t, m: wave(t, m, released=Released.NONE), "released for none"),
    "a canary it does not belong to": (lambda t, m: wave(t, m, released=Released.CANARY), "released for canary"),
    "as many failures as the rule halts at": (failing(halt_count=1), "1 number failed; the halt rule allows 0"),
    "a larger share of failures than the rule allows": (failing(halt_share=0.5), "1 number failed of 1; .* allows 50%"),
    "a halted credential profile": (halted_profile, "credential profile main is halted: token refused"),
}
OPEN: dict[str, Closing] = {
    "no wave": lambda t, m: t.ledger.operator_changes.hold(m, False, "tester"),
    "a running wave": wave,
    "a window with room": lambda t, m: wave(t, m, window_start=START, window_end=START + 3 * MINUTE),
    "fewer failures than the rule halts at": failing(halt_count=2),
    "no larger share of failures than allowed": failing(halt_share=1.0),
    "the canary": lambda t, m: wave(t, m, released=Released.CANARY, canary_size=1),
}


async def intend(fixture: LedgerFixture, migration: int, close: Closing | None = None) -> None:
    """Take the lease, let the gate change in between, then try the intent that needs three minutes."""
    lease = await fixture.lease(migration)
    if close is not None:
        await close(fixture, migration)
    await fixture.open_attempt(lease, gated=True, fits_in=3 * MINUTE, changes_side=True, budget="register")


@pytest.mark.parametrize("why", CLOSED)
async def test_a_gate_that_closes_after_the_lease_stops_the_intent(fixture: LedgerFixture, why: str) -> None:
    close, said = CLOSED[why]
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await close(fixture, migration)
    before = await fixture.row_counts()
    with pytest.raises(GateClosed, match=said):
        await fixture.open_attempt(lease, gated=True, fits_in=3 * MINUTE, changes_side=True, budget="register")
    assert await fixture.row_counts() == before
    at = await fixture.queries.positions.get(migration)
    assert (at.side, at.crossed_at, at.dark_since) == (Side.ON_PREMISES, None, None)
    assert re.search(said, str(await fixture.queries.gate.why_closed(migration, 3 * MINUTE)))


@pytest.mark.parametrize("why", OPEN)
async def test_an_open_gate_lets_the_intent_through(fixture: LedgerFixture, why: str) -> None:
    migration = await fixture.import_number()
    await intend(fixture, migration, OPEN[why])
    at = await fixture.queries.positions.get(migration)
    assert (at.side, at.crossed_at, at.dark_since, at.dark_by_us) == (Side.UNKNOWN, START, START, True)


async def test_a_step_that_has_no_gate_is_not_stopped(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await held(fixture, migration)
    await fixture.open_attempt(lease)


NOT_AFTER = [why for why in CLOSED if why != "a halted credential profile"]


@pytest.mark.parametrize("why", NOT_AFTER)
async def test_a_number_that_has_crossed_is_not_held_in_the_dark(fixture: LedgerFixture, why: str) -> None:
    migration = await fixture.import_number()
    await intend(fixture, migration)
    attempt = await fixture.queries.records.open_attempt(migration)
    assert attempt is not None
    lease = await fixture.lease(migration)
    await fixture.close_attempt(lease, attempt)
    await intend(fixture, migration, CLOSED[why][0])


async def test_a_refused_token_stops_even_what_has_crossed(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await intend(fixture, migration)
    attempt = await fixture.queries.records.open_attempt(migration)
    assert attempt is not None
    await fixture.close_attempt(await fixture.lease(migration), attempt)
    with pytest.raises(GateClosed):
        await intend(fixture, migration, halted_profile)


async def test_a_halt_of_a_profile_is_written_with_the_move_and_taken_back_by_name(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    profile = (await fixture.queries.positions.get(migration)).profile_id
    move = Move(
        "register", Status.HELD, "held", until=START + MINUTE, changes=(ProfileHalted(profile, "token refused"),)
    )
    await fixture.ledger.moves.record(lease, move)
    with pytest.raises(GateClosed):
        await intend(fixture, migration)
    await fixture.ledger.operator_changes.unhalt_profile("main")
    await intend(fixture, migration)


async def test_a_wave_that_was_let_go_halts_again_only_for_what_fails_from_then_on(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await failing(halt_count=1)(fixture, migration)
    [(name, because)] = await fixture.queries.waves.to_halt()
    await fixture.ledger.waves.move(name, WaveState.HALTED, allowed=[WaveState.RUNNING], because=because)
    await fixture.ledger.waves.move(name, WaveState.RUNNING, allowed=[WaveState.HALTED])
    assert await fixture.queries.waves.to_halt() == ()
    assert await fixture.queries.gate.why_closed(migration, 3 * MINUTE) is None
    lease = await fixture.lease(migration)
    blocked = Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md")
    await fixture.ledger.moves.record(lease, blocked)
    assert await fixture.queries.waves.to_halt() == (("first", "1 number failed; the halt rule allows 0"),)
