"""Leases: one worker may act on a number until its lease ends; the fence of an earlier lease writes nothing."""

import asyncio
from datetime import timedelta

import pytest

from state.enums import AttemptEnd, Status
from state.errors import Conflict, LeaseLost, NotFound
from state.ledger.changes import AttemptClosed, ResultFound
from state.ledger.moves import Move
from state.rows import Lease
from tests.harness.ledger_fixture import MINUTE, LedgerFixture, new_intent, open_ledger_fixture

ADVANCE = Move("register", Status.READY, "advanced", to="confirm")


async def test_a_refused_lease_names_the_holder(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await fixture.lease(migration)
    with pytest.raises(LeaseLost, match=r"N-0001 is held by another worker \(worker-1\)"):
        await fixture.lease(migration, "worker-2")


async def test_a_lease_ends_exactly_at_its_time_by_the_databases_clock(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    assert (lease.now, lease.until) == (fixture.now, fixture.now + MINUTE)
    fixture.advance(seconds=59.9)
    with pytest.raises(LeaseLost):
        await fixture.lease(migration, "worker-2")
    fixture.advance(seconds=0.1)
    assert (await fixture.lease(migration, "worker-2")).fence == lease.fence + 1


async def test_the_same_holder_gets_a_new_fence_with_each_lease(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    first, second = await fixture.lease(migration), await fixture.lease(migration)
    assert second.fence == first.fence + 1
    with pytest.raises(LeaseLost):
        await fixture.ledger.moves.record(first, ADVANCE)


async def test_only_the_leases_of_a_dead_holder_are_ended(fixture: LedgerFixture) -> None:
    orphan, other = await fixture.import_number(1), await fixture.import_number(2)
    old, kept = await fixture.lease(orphan, "gone"), await fixture.lease(other, "alive")
    assert await fixture.ledger.leases.end_all_of("gone") == 1
    new = await fixture.lease(orphan, "worker-2")
    assert new.fence == old.fence + 1
    with pytest.raises(LeaseLost):
        await fixture.open_attempt(old)
    with pytest.raises(LeaseLost, match=r"held by another worker \(alive\)"):
        await fixture.lease(other, "worker-2")
    await fixture.open_attempt(kept)


async def test_the_record_says_which_numbers_a_dead_worker_has_left(fixture: LedgerFixture) -> None:
    orphan, other = await fixture.import_number(1), await fixture.import_number(2)
    await fixture.lease(orphan, "gone")
    await fixture.lease(other, "alive")
    assert await fixture.ledger.leases.end_of_dead("gone") == 1
    assert await fixture.ledger.leases.end_of_dead("gone") == 0, "once"
    lately = fixture.queries.positions.left_by_workers
    assert [one.migration_id for one in await lately(MINUTE)] == [orphan]
    fixture.advance(seconds=60)
    assert await lately(MINUTE) == ()


async def test_an_old_fence_writes_nothing(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    old = await fixture.lease(migration)
    attempt = await fixture.open_attempt(old)
    fixture.advance(minutes=3)
    new = await fixture.lease(migration, "worker-2")
    before = await fixture.row_counts()
    close = Move(
        "register", Status.READY, "done", changes=(AttemptClosed(attempt.id, AttemptEnd.DONE), ResultFound({"a": 1}))
    )
    for move in (ADVANCE, close):
        with pytest.raises(LeaseLost):
            await fixture.ledger.moves.record(old, move)
    with pytest.raises(LeaseLost):
        await fixture.open_attempt(old, budget="register")
    assert await fixture.row_counts() == before
    await fixture.ledger.moves.record(new, close)


async def test_an_expired_lease_opens_no_attempt_even_when_nobody_took_it(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    fixture.advance(minutes=1)
    before = await fixture.row_counts()
    with pytest.raises(LeaseLost):
        await fixture.open_attempt(lease)
    assert await fixture.row_counts() == before


async def test_a_move_from_another_step_than_the_current_one_writes_nothing(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    before = await fixture.row_counts()
    with pytest.raises(LeaseLost):
        await fixture.ledger.moves.record(lease, Move("confirm", Status.READY, "advanced", to="switch_route"))
    assert await fixture.row_counts() == before
    assert (await fixture.queries.positions.get(migration)).next_step == "register"


async def test_a_blocked_ended_or_unknown_migration_cannot_be_leased(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    blocked = Move("register", Status.BLOCKED, "blocked", reason="why", runbook="runbooks/wrong-pin.md")
    await fixture.ledger.moves.record(lease, blocked)
    with pytest.raises(Conflict, match="N-0001 is blocked"):
        await fixture.lease(migration, "worker-2")
    await fixture.ledger.operator_changes.retry(migration, "looked at", "tester")
    await fixture.end_migration(migration)
    with pytest.raises(Conflict, match="N-0001 is aborted"):
        await fixture.lease(migration, "worker-2")
    with pytest.raises(NotFound):
        await fixture.lease(migration + 1)


@pytest.mark.parametrize("workers", [2, 5])
async def test_of_simultaneous_workers_exactly_one_gets_the_lease(database_url: str, workers: int) -> None:
    async with open_ledger_fixture(database_url) as fixture:
        migration = await fixture.import_number()
        results = await asyncio.gather(
            *(fixture.lease(migration, f"worker-{index}") for index in range(workers)), return_exceptions=True
        )
        leases = [result for result in results if isinstance(result, Lease)]
        assert len(leases) == 1
        assert [type(result) for result in results if not isinstance(result, Lease)] == [LeaseLost] * (workers - 1)
        assert leases[0].fence == 1


async def test_of_simultaneous_processes_exactly_one_gets_the_lease(database_url: str) -> None:
    """As between processes: only the database is shared."""
    async with open_ledger_fixture(database_url) as first, open_ledger_fixture(database_url) as second:
        for index in range(1, 6):
            migration = await first.import_number(index)
            results = await asyncio.gather(
                first.lease(migration, "worker-1"), second.lease(migration, "worker-2"), return_exceptions=True
            )
            assert sorted(type(result).__name__ for result in results) == ["Lease", "LeaseLost"]


async def test_of_simultaneous_attempts_under_one_lease_exactly_one_is_opened(database_url: str) -> None:
    async with open_ledger_fixture(database_url) as fixture:
        migration = await fixture.import_number()
        lease = await fixture.lease(migration, duration=timedelta(hours=1))
        opened = await asyncio.gather(
            *(fixture.ledger.attempts.open(lease, new_intent(budget="register")) for _ in range(3)),
            return_exceptions=True,
        )
        assert sum(1 for result in opened if not isinstance(result, BaseException)) == 1
        counts = await fixture.row_counts()
        assert (counts["attempts"], counts["budget_calls"]) == (1, 1)
