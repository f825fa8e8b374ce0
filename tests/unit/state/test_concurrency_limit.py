"""A wave moves so many numbers at once, whoever moves them."""

import asyncio
from datetime import timedelta

import pytest

from state.enums import Party, Status, WaveState
from state.errors import LeaseLost, NoTurn
from state.ledger import Move
from state.ledger.changes import SendersPaused
from state.ledger.concurrency_limit import BETWEEN_STEPS, SHORT_WAIT
from state.ledger.waves import NewWave
from tests.harness.ledger_fixture import MINUTE, LedgerFixture, open_ledger_fixture

NEXT = Move("register", Status.READY, "advanced", to="confirm")


async def a_wave(fixture: LedgerFixture, size: int, concurrency: int) -> list[int]:
    numbers = [await fixture.import_number(at) for at in range(1, size + 1)]
    await fixture.ledger.waves.make(NewWave("north", concurrency=concurrency), numbers)
    await fixture.ledger.waves.move("north", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    return numbers


async def test_no_more_at_once_than_the_wave_allows_whoever_asks(fixture: LedgerFixture) -> None:
    first, second, third = await a_wave(fixture, 3, concurrency=2)
    await fixture.lease(first, "a loop")
    await fixture.lease(second, "a sweep")
    with pytest.raises(NoTurn, match="N-0003 waits for its turn: wave north moves 2 at once"):
        await fixture.lease(third, "a person")
    assert (await fixture.queries.positions.get(third)).status is Status.READY


async def test_a_number_keeps_its_turn_between_its_steps_and_in_a_short_wait(fixture: LedgerFixture) -> None:
    first, second = await a_wave(fixture, 2, concurrency=1)
    await fixture.ledger.moves.record(await fixture.lease(first), NEXT)
    with pytest.raises(NoTurn):
        await fixture.lease(second)
    lease = await fixture.lease(first, "another worker")  # it goes on with its own turn
    short = Move("confirm", Status.WAITING, "waiting", until=fixture.now + SHORT_WAIT, on=Party.META, reason="lag")
    await fixture.ledger.moves.record(lease, short)
    with pytest.raises(NoTurn):
        await fixture.lease(second)
    fixture.advance(seconds=BETWEEN_STEPS.total_seconds())
    await fixture.lease(second)  # whoever moved the first one is gone


@pytest.mark.parametrize(
    "ends",
    [
        Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md"),
        Move("register", Status.HELD, "held", reason="hold"),
        Move("register", Status.DONE, "advanced"),
    ],
    ids=lambda move: str(move.status),
)
async def test_a_number_that_stops_gives_its_turn_away(fixture: LedgerFixture, ends: Move) -> None:
    first, second = await a_wave(fixture, 2, concurrency=1)
    await fixture.ledger.moves.record(await fixture.lease(first), ends)
    await fixture.lease(second)


async def test_a_long_wait_gives_the_turn_away(fixture: LedgerFixture) -> None:
    first, second = await a_wave(fixture, 2, concurrency=1)
    until = fixture.now + SHORT_WAIT + timedelta(seconds=1)
    code = Move("register", Status.WAITING, "waiting", until=until, on=Party.CUSTOMER, reason="a code")
    await fixture.ledger.moves.record(await fixture.lease(first), code)
    await fixture.lease(second)


async def test_a_number_that_has_crossed_or_whose_senders_wait_never_waits_for_its_turn(fixture: LedgerFixture) -> None:
    crossed, paused, other, late = await a_wave(fixture, 4, concurrency=4)
    lease = await fixture.lease(crossed)
    await fixture.open_attempt(lease, changes_side=True)
    fixture.advance(minutes=10)  # its worker was killed
    pausing = Move("register", Status.HELD, "held", reason="hold", changes=(SendersPaused(fixture.now),))
    await fixture.ledger.moves.record(await fixture.lease(paused), pausing)
    await fixture.ledger.waves.move("north", WaveState.HELD, allowed=[WaveState.RUNNING])
    await fixture.sql("UPDATE waves SET concurrency = 1")
    await fixture.lease(other)
    with pytest.raises(NoTurn):
        await fixture.lease(late)
    await fixture.lease(crossed, "worker-2")
    await fixture.lease(paused, "worker-2")


async def test_ways_out_need_no_turn(fixture: LedgerFixture) -> None:
    first, second = await a_wave(fixture, 2, concurrency=1)
    await fixture.lease(first)
    lease = await fixture.ledger.leases.acquire(second, "worker-2", MINUTE, free=["WITH_BACKUP"])
    assert lease.migration_id == second


async def test_a_leased_number_is_told_from_one_that_waits_for_its_turn(fixture: LedgerFixture) -> None:
    (first,) = await a_wave(fixture, 1, concurrency=1)
    await fixture.lease(first)
    with pytest.raises(LeaseLost, match="held by another worker") as told:
        await fixture.lease(first, "worker-2")
    assert not isinstance(told.value, NoTurn)


async def test_many_that_begin_in_the_same_moment_are_not_too_many(database_url: str) -> None:
    async with open_ledger_fixture(database_url) as fixture:
        numbers = await a_wave(fixture, 12, concurrency=3)
        asked = (fixture.lease(one, f"worker-{one}") for one in numbers)
        got = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, NoTurn) for one in got].count(False) == 3
    assert all(isinstance(one, NoTurn) or not isinstance(one, BaseException) for one in got)
