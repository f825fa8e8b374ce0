"""A wave's concurrency limit: how many of its numbers move at the same time, whoever moves them."""

import asyncio
from datetime import timedelta

import pytest

from state.database import open_database
from state.enums import Party, Status, WaveState
from state.errors import ConcurrencyLimitReached, LeaseLost
from state.ledger.changes import SendersPaused
from state.ledger.concurrency_limit import BETWEEN_STEPS, SHORT_WAIT
from state.ledger.leases import LOCK_WAVE
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from tests.harness.ledger_fixture import MINUTE, LedgerFixture, open_ledger_fixture

NEXT = Move("register", Status.READY, "advanced", to="confirm")


async def start_wave(fixture: LedgerFixture, size: int, concurrency: int) -> list[int]:
    numbers = [await fixture.import_number(index) for index in range(1, size + 1)]
    await fixture.ledger.waves.create(NewWave("north", concurrency=concurrency), numbers)
    await fixture.ledger.waves.set_state("north", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    return numbers


async def test_the_limit_holds_for_loops_sweeps_and_operators_together(fixture: LedgerFixture) -> None:
    first, second, third = await start_wave(fixture, 3, concurrency=2)
    await fixture.lease(first, "a loop")
    await fixture.lease(second, "a sweep")
    with pytest.raises(ConcurrencyLimitReached, match="N-0003 waits for its turn: wave north moves 2 at once"):
        await fixture.lease(third, "a person")
    assert (await fixture.queries.positions.get(third)).status is Status.READY


async def test_a_number_keeps_its_place_between_steps_and_in_a_short_wait(fixture: LedgerFixture) -> None:
    first, second = await start_wave(fixture, 2, concurrency=1)
    await fixture.ledger.moves.record(await fixture.lease(first), NEXT)
    with pytest.raises(ConcurrencyLimitReached):
        await fixture.lease(second)
    lease = await fixture.lease(first, "another worker")  # the number keeps its place
    short = Move("confirm", Status.WAITING, "waiting", until=fixture.now + SHORT_WAIT, on=Party.META, reason="lag")
    await fixture.ledger.moves.record(lease, short)
    with pytest.raises(ConcurrencyLimitReached):
        await fixture.lease(second)
    fixture.advance(seconds=BETWEEN_STEPS.total_seconds())
    await fixture.lease(second)  # the worker of the first number is gone


@pytest.mark.parametrize(
    "move",
    [
        Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/token-refused.md"),
        Move("register", Status.HELD, "held", reason="hold"),
        Move("register", Status.DONE, "advanced"),
    ],
    ids=lambda move: str(move.status),
)
async def test_a_number_that_stops_gives_up_its_place(fixture: LedgerFixture, move: Move) -> None:
    first, second = await start_wave(fixture, 2, concurrency=1)
    await fixture.ledger.moves.record(await fixture.lease(first), move)
    await fixture.lease(second)


async def test_a_long_wait_gives_up_the_place(fixture: LedgerFixture) -> None:
    first, second = await start_wave(fixture, 2, concurrency=1)
    until = fixture.now + SHORT_WAIT + timedelta(seconds=1)
    code = Move("register", Status.WAITING, "waiting", until=until, on=Party.CUSTOMER, reason="a code")
    await fixture.ledger.moves.record(await fixture.lease(first), code)
    await fixture.lease(second)


async def test_a_number_past_the_point_of_no_return_or_with_paused_senders_needs_no_place(
    fixture: LedgerFixture,
) -> None:
    crossed, paused, other, late = await start_wave(fixture, 4, concurrency=4)
    lease = await fixture.lease(crossed)
    await fixture.open_attempt(lease, changes_side=True)
    fixture.advance(minutes=10)  # its worker was killed
    pausing = Move("register", Status.HELD, "held", reason="hold", changes=(SendersPaused(fixture.now),))
    await fixture.ledger.moves.record(await fixture.lease(paused), pausing)
    await fixture.ledger.waves.set_state("north", WaveState.HELD, allowed=[WaveState.RUNNING])
    await fixture.sql("UPDATE waves SET concurrency = 1")
    await fixture.lease(other)
    with pytest.raises(ConcurrencyLimitReached):
        await fixture.lease(late)
    await fixture.lease(crossed, "worker-2")
    await fixture.lease(paused, "worker-2")


async def test_numbers_that_have_crossed_and_wait_for_meta_take_no_place(fixture: LedgerFixture) -> None:
    """As many of them as the wave moves at once: where more stand there, the next one would stand there too."""
    first, second, third = await start_wave(fixture, 3, concurrency=1)
    for migration in (first, second):
        lease = await fixture.lease(migration)
        await fixture.sql("UPDATE number_migrations SET crossed_at = created_at WHERE id = :id", id=migration)
        short = Move("register", Status.WAITING, "waiting", until=fixture.now + SHORT_WAIT, on=Party.META, reason="lag")
        await fixture.ledger.moves.record(lease, short)
    with pytest.raises(ConcurrencyLimitReached):
        await fixture.lease(third)


async def test_itineraries_outside_the_limit_need_no_place(fixture: LedgerFixture) -> None:
    first, second = await start_wave(fixture, 2, concurrency=1)
    await fixture.lease(first)
    lease = await fixture.ledger.leases.acquire(second, "worker-2", MINUTE, exempt=["WITH_BACKUP"])
    assert lease.migration_id == second


async def test_a_leased_number_raises_another_error_than_a_full_wave(fixture: LedgerFixture) -> None:
    (first,) = await start_wave(fixture, 1, concurrency=1)
    await fixture.lease(first)
    with pytest.raises(LeaseLost, match="held by another worker") as raised:
        await fixture.lease(first, "worker-2")
    assert not isinstance(raised.value, ConcurrencyLimitReached)


async def test_the_limit_holds_for_simultaneous_requests(database_url: str) -> None:
    async with open_ledger_fixture(database_url) as fixture:
        numbers = await start_wave(fixture, 12, concurrency=3)
        requests = (fixture.lease(number, f"worker-{number}") for number in numbers)
        results = await asyncio.gather(*requests, return_exceptions=True)
    assert [isinstance(result, ConcurrencyLimitReached) for result in results].count(False) == 3
    assert all(
        isinstance(result, ConcurrencyLimitReached) or not isinstance(result, BaseException) for result in results
    )


@pytest.mark.postgres
async def test_numbers_that_ask_for_a_place_keep_no_other_number_from_its_step(postgres_url: str) -> None:
    """Another process has just counted its wave's places. Two processes moved half as many numbers as one."""
    other_process = open_database(postgres_url)
    async with open_ledger_fixture(postgres_url) as fixture:
        crossing, *others = await start_wave(fixture, 14, concurrency=14)
        lease = await fixture.lease(crossing)
        async with other_process.begin() as tx:
            await tx.execute(LOCK_WAVE, {"w_id": others[0]})
            asking = [asyncio.ensure_future(fixture.lease(number)) for number in others]
            await asyncio.sleep(0)  # each has asked for a connection before the next line does
            await asyncio.wait_for(fixture.ledger.moves.record(lease, NEXT), 3)
            assert not any(task.done() for task in asking)
        assert len({lease.migration_id for lease in await asyncio.gather(*asking)}) == len(others)
    await other_process.dispose()
