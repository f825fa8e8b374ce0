"""A failure of Graph at one number keeps the others from crossing; what it held goes on as soon as it is settled."""

import pytest

from state.enums import OutsideFailure, Side, Status, WaveState
from state.errors import GateClosed, Outdated
from state.ledger.changes import OutsideFailed, OutsideSettled, SideRead
from state.ledger.moves import Move
from state.ledger.waves import NewWave
from state.rows import Lease
from tests.harness.ledger_fixture import MINUTE, LedgerFixture

HELD = Move("register", Status.HELD, "held", reason="Graph has failed at N-0001")
SETTLED = Move("register", Status.READY, "advanced", to="confirm", changes=(SideRead(Side.CLOUD), OutsideSettled()))


async def failing_and_held(fixture: LedgerFixture) -> tuple[Lease, Lease]:
    """Two numbers of a running wave: Graph has failed at the first, and the second is held for it."""
    numbers = [await fixture.import_number(index) for index in (1, 2)]
    await fixture.ledger.waves.create(NewWave("first"), numbers)
    await fixture.ledger.waves.set_state("first", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    first, second = [await fixture.lease(number, f"worker-{number}") for number in numbers]
    failed = Move(
        "register",
        Status.WAITING,
        "waiting",
        until=fixture.now + MINUTE,
        changes=(OutsideFailed(OutsideFailure.GRAPH),),
    )
    await fixture.ledger.moves.record(await fixture.reread(first), failed)
    await fixture.ledger.moves.record(await fixture.reread(second), HELD)
    fixture.advance(minutes=2)
    return await fixture.lease(first.migration_id, "worker-1", MINUTE * 5), second


@pytest.mark.parametrize("failing", [0, 1, 2])
async def test_terms_concern_the_numbers_of_their_customer_alone(fixture: LedgerFixture, failing: int) -> None:
    """Of two customers with two numbers each, in two waves, whichever of them has the first row."""
    names = ("Acme", "Bertram")
    numbers = [
        await fixture.import_number(index, customer=names[index % 2], waba_id=f"1022{index % 2}") for index in range(4)
    ]
    for wave in (0, 1):
        await fixture.ledger.waves.create(NewWave(f"wave-{wave}"), numbers[2 * wave : 2 * wave + 2])
        await fixture.ledger.waves.set_state(f"wave-{wave}", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    leases = [await fixture.lease(number, f"worker-{number}", MINUTE * 5) for number in numbers]
    terms = (OutsideFailed(OutsideFailure.TERMS),)
    waiting = Move("register", Status.WAITING, "waiting", until=fixture.now + MINUTE, changes=terms)
    await fixture.ledger.moves.record(leases[failing], waiting)
    for index in {0, 1, 2, 3} - {failing}:
        lease = await fixture.reread(leases[index])
        if index % 2 == failing % 2:
            with pytest.raises(GateClosed, match="has not accepted Meta's Terms"):
                await fixture.open_attempt(lease, gated=True)
        else:
            await fixture.open_attempt(lease, gated=True)


async def test_a_restricted_account_keeps_back_the_numbers_of_its_waba_alone(fixture: LedgerFixture) -> None:
    numbers = [await fixture.import_number(index) for index in (1, 2)]
    numbers.append(await fixture.import_number(3, waba_id="10230", customer="Bertram"))
    await fixture.ledger.waves.create(NewWave("first"), numbers)
    await fixture.ledger.waves.set_state("first", WaveState.RUNNING, allowed=[WaveState.PLANNED])
    first, second, elsewhere = [await fixture.lease(number, f"worker-{number}", MINUTE * 5) for number in numbers]
    restricted = Move(
        "register", Status.BLOCKED, "blocked", runbook="runbooks/x.md", changes=(OutsideFailed(OutsideFailure.ACCOUNT),)
    )
    await fixture.ledger.moves.record(first, restricted)
    assert await fixture.queries.waves.to_halt() == ()
    with pytest.raises(GateClosed, match="Meta has restricted its WABA, as N-0001 has met"):
        await fixture.open_attempt(await fixture.reread(second), gated=True)
    await fixture.open_attempt(elsewhere, gated=True)
    await fixture.ledger.operator_changes.retry(first.migration_id, "reviewed", "Ann")
    again = await fixture.lease(first.migration_id, "worker-4")
    await fixture.ledger.moves.record(again, SETTLED)
    await fixture.open_attempt(await fixture.reread(second), gated=True)


async def test_a_settled_failure_makes_ready_what_it_held(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)
    await fixture.ledger.moves.record(first, SETTLED)
    freed = await fixture.queries.positions.get(second.migration_id)
    assert (freed.status, freed.waiting_until, freed.reason) == (Status.READY, None, None)
    assert await fixture.sql("select outside_failure from number_migrations") == [(None,), (None,)]


async def test_a_held_number_names_the_one_that_failed_and_its_runbook(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)

    async def named() -> list[tuple[str | None, str | None]]:
        get = fixture.queries.positions.get
        numbers = [await get(each.migration_id) for each in (first, second)]
        numbers += [one for one in await fixture.queries.listing.all() if one.ref == numbers[1].ref]  # type: ignore[misc]
        return [(number.held_for, number.held_for_page) for number in numbers]

    assert await named() == [(None, None), ("N-0001", None), ("N-0001", None)]
    blocked = Move("register", Status.BLOCKED, "blocked", runbook="runbooks/x.md")
    await fixture.ledger.moves.record(await fixture.reread(first), blocked)
    assert await named() == [(None, None), *[("N-0001", "runbooks/x.md")] * 2]
    await fixture.ledger.operator_changes.retry(first.migration_id, "reviewed", "Ann")
    await fixture.ledger.moves.record(await fixture.lease(first.migration_id, "worker-4"), SETTLED)
    assert await named() == [(None, None)] * 3


async def test_the_end_of_a_number_that_failed_makes_ready_what_it_held(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)
    await fixture.ledger.moves.record(first, Move("register", Status.ABORTED, "aborted"))
    assert (await fixture.queries.positions.get(second.migration_id)).status is Status.READY


async def test_a_worker_that_is_about_to_hold_its_number_reads_again(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)
    at_the_gate = await fixture.lease(second.migration_id, "worker-2")
    await fixture.ledger.moves.record(first, SETTLED)
    with pytest.raises(Outdated):
        await fixture.ledger.moves.record(at_the_gate, HELD)


async def test_a_number_that_a_person_holds_stays_held(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)
    await fixture.ledger.operator_changes.hold(second.migration_id, True, "tester")
    await fixture.ledger.moves.record(await fixture.reread(first), SETTLED)
    assert (await fixture.queries.positions.get(second.migration_id)).status is Status.HELD


async def test_without_a_failure_nothing_else_is_written(fixture: LedgerFixture) -> None:
    first, second = await failing_and_held(fixture)
    await fixture.sql("update number_migrations set outside_failure = null")
    await fixture.ledger.moves.record(first, SETTLED)
    assert (await fixture.queries.positions.get(second.migration_id)).status is Status.HELD
