"""Graph's limits on calls: what workers of a home take of one budget, and which numbers may cross on what is left."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from state.enums import Party, Side, Status
from state.errors import GateClosed
from state.ledger.call_budgets import ALONE, EVERY_WABA, LOOK_AGAIN, BudgetKey, CrossingRefused
from state.ledger.call_window import ACTIVE, INACTIVE, RESERVE, WINDOW
from state.ledger.changes import SideRead
from state.ledger.moves import Move
from state.models import MigrationTable
from state.rows import Lease
from tests.harness.ledger_fixture import MINUTE, LedgerFixture

KEY = BudgetKey("77", "10229")
NEEDS = 20
LASTS = timedelta(minutes=5)


async def take_all(fixture: LedgerFixture, *, urgent: bool = False, key: BudgetKey = KEY) -> int:
    """How many calls a worker gets before it is told to wait."""
    total = 0
    while (block := await fixture.ledger.call_budgets.take(key, urgent=urgent)).granted:
        total += block.granted
        if urgent and total > 10:
            break
    return total


async def admit(fixture: LedgerFixture, lease: Lease, needs: int = NEEDS) -> CrossingRefused | None:
    return await fixture.ledger.call_budgets.admit(lease, KEY, needs=needs, lasts=LASTS)


async def two_leases(fixture: LedgerFixture) -> Sequence[Lease]:
    imported = [await fixture.import_number(index) for index in (1, 2)]
    return [await fixture.lease(migration, f"worker-{index}") for index, migration in enumerate(imported, 1)]


async def test_workers_never_take_more_than_the_hour_allows_and_leave_the_reserve(fixture: LedgerFixture) -> None:
    taken = await asyncio.gather(take_all(fixture), take_all(fixture))
    assert sum(taken) == INACTIVE - RESERVE
    fixture.advance(minutes=61)
    assert await take_all(fixture) == 0
    fixture.advance(minutes=2)
    assert await take_all(fixture) == INACTIVE - RESERVE


async def test_another_app_or_waba_has_its_own_budget(fixture: LedgerFixture) -> None:
    await take_all(fixture)
    assert await take_all(fixture, key=BudgetKey("78", "10229")) == INACTIVE - RESERVE
    assert await take_all(fixture, key=BudgetKey("77")) == INACTIVE, "the app itself has no numbers that cross"


async def test_a_number_that_crosses_takes_from_the_reserve_and_over_our_own_count(fixture: LedgerFixture) -> None:
    await take_all(fixture)
    for _ in range(RESERVE + 5):
        assert (await fixture.ledger.call_budgets.take(KEY, urgent=True)).granted == 1


async def test_calls_that_were_not_made_are_given_back(fixture: LedgerFixture) -> None:
    budgets = fixture.ledger.call_budgets
    first = await budgets.take(KEY, urgent=False)
    again = await budgets.take(KEY, urgent=False, unused=first.granted - 1)
    assert again.ours == 1 + again.granted
    await budgets.give_back(KEY, again.granted)
    assert (await budgets.take(KEY, urgent=False)).ours == 1 + first.granted


async def test_what_others_use_is_no_longer_ours_to_take_until_it_runs_out(fixture: LedgerFixture) -> None:
    budgets = fixture.ledger.call_budgets
    block = await budgets.take(KEY, urgent=False, used_by_others=INACTIVE)
    assert (block.granted, block.left) == (0, 0)
    assert fixture.now < block.free_at <= fixture.now + timedelta(hours=1)
    fixture.now = block.free_at
    assert (await budgets.take(KEY, urgent=False)).granted > 0


@pytest.mark.parametrize("urgent", [False, True])
async def test_after_a_throttled_answer_no_worker_makes_a_call_before_its_end(
    fixture: LedgerFixture, urgent: bool
) -> None:
    budgets = fixture.ledger.call_budgets
    await budgets.close(KEY, timedelta(minutes=7))
    await budgets.close(KEY, timedelta(minutes=3))  # a later answer never shortens it
    block = await budgets.take(KEY, urgent=urgent)
    assert (block.granted, block.closed, block.free_at) == (0, True, fixture.now + timedelta(minutes=7))
    fixture.advance(minutes=7)
    assert (await budgets.take(KEY, urgent=urgent)).granted > 0


async def test_a_list_that_shows_a_number_on_cloud_raises_the_limit(fixture: LedgerFixture) -> None:
    budgets = fixture.ledger.call_budgets
    assert (await budgets.take(KEY, urgent=False)).limit == INACTIVE
    await budgets.saw_numbers(KEY, any_on_cloud=True)
    assert (await budgets.take(KEY, urgent=False)).limit == ACTIVE
    await budgets.saw_numbers(KEY, any_on_cloud=False)
    assert (await budgets.take(KEY, urgent=False)).limit == INACTIVE


async def test_a_list_that_lags_does_not_take_away_what_our_own_number_gave(fixture: LedgerFixture) -> None:
    lease, _ = await two_leases(fixture)
    await read_on_cloud(fixture, lease)
    assert await fixture.ledger.call_budgets.saw_numbers(KEY, any_on_cloud=False)


async def read_on_cloud(fixture: LedgerFixture, lease: Lease) -> None:
    confirmed = Move("register", Status.READY, "advanced", to="confirm", changes=(SideRead(Side.CLOUD),))
    await fixture.ledger.moves.record(await fixture.reread(lease), confirmed)


async def go_back(fixture: LedgerFixture, lease: Lease) -> None:
    async with fixture.engine.begin() as tx:
        row = update(MigrationTable).where(MigrationTable.id == lease.migration_id)
        await tx.execute(row.values(itinerary="BACK_TO_ONPREM", next_step="deregister_cloud"))
    left = Move("deregister_cloud", Status.READY, "advanced", to="start_onprem", changes=(SideRead(Side.NEITHER),))
    await fixture.ledger.moves.record(await fixture.reread(lease), left)


async def test_a_waba_whose_last_number_left_cloud_has_the_small_limit_again(fixture: LedgerFixture) -> None:
    first, second = await two_leases(fixture)
    for lease in (first, second):
        await read_on_cloud(fixture, lease)
    await fixture.ledger.call_budgets.take(KEY, urgent=False)
    leases = [await fixture.lease(lease.migration_id, lease.holder) for lease in (first, second)]
    await go_back(fixture, leases[0])
    assert (await fixture.ledger.call_budgets.take(KEY, urgent=False)).limit == ACTIVE, "another one is there"
    await go_back(fixture, leases[1])
    assert (await fixture.ledger.call_budgets.take(KEY, urgent=False)).limit == INACTIVE


async def test_in_an_inactive_waba_one_number_crosses_first_and_wakes_the_others(fixture: LedgerFixture) -> None:
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    refused = await admit(fixture, second)
    assert refused is not None
    assert refused.until == fixture.now + LOOK_AGAIN
    assert refused.reason == (
        "WABA 10229 has no number on Cloud yet: N-0001 crosses first; "
        "that lifts its limit of 200 calls an hour to 5,000"
    )
    wait = Move(
        "register", Status.WAITING, "waiting", until=refused.until, on=Party.META, reason=refused.reason, for_calls=True
    )
    await fixture.ledger.moves.record(second, wait)
    await read_on_cloud(fixture, first)
    woken = await fixture.queries.positions.get(second.migration_id)
    assert woken.waiting_until == fixture.now
    assert await admit(fixture, await fixture.lease(second.migration_id, "worker-2")) is None


async def test_the_next_number_crosses_where_the_first_one_is_blocked_or_its_time_is_over(
    fixture: LedgerFixture,
) -> None:
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    fixture.advance(seconds=LASTS.total_seconds() - 10)
    first = await fixture.ledger.leases.acquire(first.migration_id, "another", timedelta(seconds=60))  # still at it
    refused = await admit(fixture, second)
    assert refused is not None
    assert refused.until == fixture.now + timedelta(seconds=10), "not looked at later than the other's time ends"
    blocked = Move("register", Status.BLOCKED, "blocked", reason="no", runbook="runbooks/refused.md")
    await fixture.ledger.moves.record(await fixture.reread(first), blocked)
    assert await admit(fixture, second) is None


async def test_a_number_that_waits_before_its_crossing_keeps_no_other_from_crossing(fixture: LedgerFixture) -> None:
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    refused = await admit(fixture, second)
    assert refused is not None
    for_calls = Move("register", Status.WAITING, "waiting", until=refused.until, reason="the other", for_calls=True)
    await fixture.ledger.moves.record(second, for_calls)
    soon = fixture.now + timedelta(seconds=3)  # its worker stays with it so long
    queued = Move("register", Status.WAITING, "waiting", until=soon, reason="2 callbacks are still queued")
    await fixture.ledger.moves.record(await fixture.reread(first), queued)
    woken = await fixture.queries.positions.get(second.migration_id)
    assert woken.waiting_until == fixture.now
    assert await admit(fixture, await fixture.lease(second.migration_id, "worker-2")) is None


@pytest.mark.parametrize(
    ("set_to", "is_read_anew"),
    [
        ("next_step = 'register'", True),
        ("next_step = 'drain', paused_at = created_at", True),  # a later step may be done and not written
        ("next_step = 'subscribe'", False),
        ("next_step = 'register', calls_kept_until = '2999-01-01 00:00:00.000000'", False),
        ("next_step = 'register', calls_kept_until = '2001-01-01 00:00:00.000000'", True),
    ],
)
async def test_only_a_number_that_may_be_about_to_wait_is_read_anew(
    fixture: LedgerFixture, set_to: str, is_read_anew: bool
) -> None:
    """Else each moment's wait of one number would have all others of its WABA decided about again."""
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    await fixture.sql(f"update number_migrations set {set_to} where id = :id", id=second.migration_id)
    soon = fixture.now + timedelta(seconds=3)
    await fixture.ledger.moves.record(first, Move("register", Status.WAITING, "waiting", until=soon, reason="queued"))
    after = await fixture.queries.positions.get(second.migration_id)
    assert after.version == second.version + is_read_anew


async def test_a_number_that_waits_after_its_crossing_still_crosses_first(fixture: LedgerFixture) -> None:
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    await fixture.sql("update number_migrations set crossed_at = created_at where id = :id", id=first.migration_id)
    soon = fixture.now + timedelta(seconds=3)
    lagging = Move("register", Status.WAITING, "waiting", until=soon, reason="reads lag")
    await fixture.ledger.moves.record(await fixture.reread(first), lagging)
    assert await admit(fixture, second) is not None


async def test_a_number_that_is_not_seen_on_cloud_long_after_its_crossing_keeps_no_other(
    fixture: LedgerFixture,
) -> None:
    first, second = await two_leases(fixture)
    assert await admit(fixture, first) is None
    await fixture.sql("update number_migrations set crossed_at = created_at where id = :id", id=first.migration_id)
    assert await admit(fixture, second) is not None
    fixture.now += ALONE
    assert await admit(fixture, second) is None


async def test_no_number_crosses_without_the_calls_that_it_needs(fixture: LedgerFixture) -> None:
    lease, _ = await two_leases(fixture)
    taken_at = fixture.now
    await take_all(fixture)
    refused = await admit(fixture, lease)
    assert refused is not None
    assert refused.reason.startswith(f"WABA 10229 has {RESERVE} of 200 calls left this hour; the next number may cross")
    assert refused.until == taken_at + WINDOW
    fixture.now = refused.until
    assert await admit(fixture, lease) is None


async def test_calls_kept_for_one_number_are_not_there_for_another_or_for_reading(fixture: LedgerFixture) -> None:
    await fixture.ledger.call_budgets.saw_numbers(KEY, any_on_cloud=True)
    first, second = await two_leases(fixture)
    most = ACTIVE - RESERVE
    assert await admit(fixture, first, needs=most - NEEDS + 1) is None
    assert await admit(fixture, second) is not None
    assert await take_all(fixture) == NEEDS - 1


async def test_a_throttled_waba_lets_no_number_cross_whatever_was_let_in_before(fixture: LedgerFixture) -> None:
    lease, _ = await two_leases(fixture)
    assert await admit(fixture, lease) is None
    await fixture.ledger.call_budgets.close(KEY, timedelta(minutes=4))
    refused = await admit(fixture, lease)
    assert refused is not None
    assert refused.until == fixture.now + timedelta(minutes=4)
    with pytest.raises(GateClosed, match="Graph takes no calls for WABA 10229 until"):
        await fixture.open_attempt(lease, gated=True)


async def test_a_throttled_app_closes_all_of_its_wabas_for_every_worker(fixture: LedgerFixture) -> None:
    lease, _ = await two_leases(fixture)
    assert await admit(fixture, lease) is None
    until = await fixture.ledger.call_budgets.close(BudgetKey("77", EVERY_WABA), timedelta(seconds=30))
    block = await fixture.ledger.call_budgets.take(KEY, urgent=True)
    assert (block.granted, block.closed, block.free_at) == (0, True, until)
    refused = await admit(fixture, lease)
    assert refused is not None
    assert (refused.until, "for app 77 until" in refused.reason) == (until, True)
    assert (await fixture.ledger.call_budgets.take(BudgetKey("78", "10229"), urgent=False)).granted
    with pytest.raises(GateClosed, match="Graph takes no calls for app 77 until"):
        await fixture.open_attempt(lease, gated=True)
    fixture.advance(seconds=31)
    assert (await fixture.ledger.call_budgets.take(KEY, urgent=False)).granted
    await fixture.open_attempt(lease, gated=True)


async def test_a_number_that_has_crossed_is_not_stopped_by_a_throttled_waba(fixture: LedgerFixture) -> None:
    lease, _ = await two_leases(fixture)
    async with fixture.engine.begin() as tx:
        crossed = update(MigrationTable).where(MigrationTable.id == lease.migration_id)
        await tx.execute(crossed.values(crossed_at=fixture.now - MINUTE))
    await fixture.ledger.call_budgets.close(KEY, timedelta(minutes=4))
    await fixture.open_attempt(lease, gated=True)


async def test_a_limit_of_the_app_itself_is_told_with_each_block_and_keeps_no_call_of_a_waba(
    fixture: LedgerFixture,
) -> None:
    budgets, app = fixture.ledger.call_budgets, BudgetKey("77")
    assert await budgets.closed_until(app) is None
    assert (await budgets.take(KEY, urgent=False)).app_closed_until is None
    until = await budgets.close(app, timedelta(minutes=4))
    block = await budgets.take(KEY, urgent=False)
    assert block.granted > 0
    assert block.app_closed_until == until
    assert await budgets.closed_until(app) == (until, timedelta(minutes=4))
    assert (await budgets.take(BudgetKey("78", "10229"), urgent=False)).app_closed_until is None
    fixture.advance(minutes=5)
    assert await budgets.closed_until(app) is None
    assert (await budgets.take(KEY, urgent=False)).app_closed_until is None
