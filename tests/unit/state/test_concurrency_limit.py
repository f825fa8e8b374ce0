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
from tests.harness.ledger_fixture import MINUTE, Town, built

NEXT = Move("register", Status.READY, "advanced", to="confirm")


async def a_wave(town: Town, size: int, concurrency: int) -> list[int]:
    numbers = [await town.number(at) for at in range(1, size + 1)]
    await town.ledger.waves.make(NewWave("north", concurrency=concurrency), numbers)
    await town.ledger.waves.move("north", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    return numbers


async def test_no_more_at_once_than_the_wave_allows_whoever_asks(town: Town) -> None:
    first, second, third = await a_wave(town, 3, concurrency=2)
    await town.lease(first, "a loop")
    await town.lease(second, "a sweep")
    with pytest.raises(NoTurn, match="N-0003 waits for its turn: wave north moves 2 at once"):
        await town.lease(third, "a person")
    assert (await town.queries.position(third)).status is Status.READY


async def test_a_number_keeps_its_turn_between_its_steps_and_in_a_short_wait(town: Town) -> None:
    first, second = await a_wave(town, 2, concurrency=1)
    await town.ledger.moves.record(await town.lease(first), NEXT)
    with pytest.raises(NoTurn):
        await town.lease(second)
    lease = await town.lease(first, "another worker")  # it goes on with its own turn
    short = Move("confirm", Status.WAITING, "waiting", until=town.now + SHORT_WAIT, on=Party.META, reason="lag")
    await town.ledger.moves.record(lease, short)
    with pytest.raises(NoTurn):
        await town.lease(second)
    town.later(seconds=BETWEEN_STEPS.total_seconds())
    await town.lease(second)  # whoever moved the first one is gone


@pytest.mark.parametrize(
    "ends",
    [
        Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md"),
        Move("register", Status.HELD, "held", reason="hold"),
        Move("register", Status.DONE, "advanced"),
    ],
    ids=lambda move: str(move.status),
)
async def test_a_number_that_stops_gives_its_turn_away(town: Town, ends: Move) -> None:
    first, second = await a_wave(town, 2, concurrency=1)
    await town.ledger.moves.record(await town.lease(first), ends)
    await town.lease(second)


async def test_a_long_wait_gives_the_turn_away(town: Town) -> None:
    first, second = await a_wave(town, 2, concurrency=1)
    until = town.now + SHORT_WAIT + timedelta(seconds=1)
    code = Move("register", Status.WAITING, "waiting", until=until, on=Party.CUSTOMER, reason="a code")
    await town.ledger.moves.record(await town.lease(first), code)
    await town.lease(second)


async def test_a_number_that_has_crossed_or_whose_senders_wait_never_waits_for_its_turn(town: Town) -> None:
    crossed, paused, other, late = await a_wave(town, 4, concurrency=4)
    lease = await town.lease(crossed)
    await town.intend(lease, changes_side=True)
    town.later(minutes=10)  # its worker was killed
    pausing = Move("register", Status.HELD, "held", reason="hold", changes=(SendersPaused(town.now),))
    await town.ledger.moves.record(await town.lease(paused), pausing)
    await town.ledger.waves.move("north", WaveState.HELD, allowed=[WaveState.RUNNING])
    await town.sql("UPDATE waves SET concurrency = 1")
    await town.lease(other)
    with pytest.raises(NoTurn):
        await town.lease(late)
    await town.lease(crossed, "worker-2")
    await town.lease(paused, "worker-2")


async def test_ways_out_need_no_turn(town: Town) -> None:
    first, second = await a_wave(town, 2, concurrency=1)
    await town.lease(first)
    lease = await town.ledger.leases.acquire(second, "worker-2", MINUTE, free=["WITH_BACKUP"])
    assert lease.migration_id == second


async def test_a_leased_number_is_told_from_one_that_waits_for_its_turn(town: Town) -> None:
    (first,) = await a_wave(town, 1, concurrency=1)
    await town.lease(first)
    with pytest.raises(LeaseLost, match="held by another worker") as told:
        await town.lease(first, "worker-2")
    assert not isinstance(told.value, NoTurn)


async def test_many_that_begin_in_the_same_moment_are_not_too_many(database_url: str) -> None:
    async with built(database_url) as town:
        numbers = await a_wave(town, 12, concurrency=3)
        asked = (town.lease(one, f"worker-{one}") for one in numbers)
        got = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, NoTurn) for one in got].count(False) == 3
    assert all(isinstance(one, NoTurn) or not isinstance(one, BaseException) for one in got)
