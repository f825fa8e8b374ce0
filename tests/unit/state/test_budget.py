"""Ten calls in a moving 72 h, as Meta counts them; the last three need an operator's permission."""

from datetime import timedelta

import pytest

from state.enums import AttemptEnd
from state.errors import BudgetSpent
from state.ledger.counted_calls import BUDGET_CALLS, BUDGET_RESERVE
from tests.harness.ledger_fixture import LedgerFixture

ALLOWED = BUDGET_CALLS - BUDGET_RESERVE


async def assert_refused(fixture: LedgerFixture, migration: int, call: str = "register") -> None:
    """The next call is refused, and nothing of it is written."""
    lease = await fixture.lease(migration)
    before = await fixture.row_counts()
    with pytest.raises(BudgetSpent):
        await fixture.open_attempt(lease, budget=call)
    assert await fixture.row_counts() == before
    assert await fixture.queries.records.open_attempt(migration) is None


@pytest.mark.parametrize("call", ["register", "deregister"])
async def test_the_eighth_call_is_refused(fixture: LedgerFixture, call: str) -> None:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration, call, ALLOWED)
    assert (await fixture.queries.gate.budget_spent("100000000000001", call))[0] == 7
    await assert_refused(fixture, migration, call)


async def test_an_operator_can_release_the_last_three_calls_but_no_eleventh(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration, times=ALLOWED)
    fixture.advance(minutes=2)
    await fixture.ledger.operator_changes.spend_reserve(migration, "tester")
    await fixture.spend_calls(migration, times=BUDGET_RESERVE)
    await assert_refused(fixture, migration)
    fixture.advance(minutes=2)
    await fixture.ledger.operator_changes.spend_reserve(migration, "tester")
    await assert_refused(fixture, migration)
    assert "reserve_released" in [event.kind for event in await fixture.queries.records.events(migration)]


async def test_each_call_and_each_number_has_its_own_budget(fixture: LedgerFixture) -> None:
    first, second = await fixture.import_number(1), await fixture.import_number(2)
    await fixture.spend_calls(first, times=ALLOWED)
    await fixture.spend_calls(first, "deregister")
    await fixture.spend_calls(second)
    await assert_refused(fixture, first)


async def test_calls_before_the_import_count(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(register_calls_before=5, deregister_calls_before=9)
    await fixture.spend_calls(migration, times=2)
    await assert_refused(fixture, migration)
    await assert_refused(fixture, migration, "deregister")


async def test_the_window_of_72_hours_moves(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration)
    fixture.advance(hours=36)
    await fixture.spend_calls(migration, times=ALLOWED - 1)
    fixture.advance(hours=35, minutes=59)
    await assert_refused(fixture, migration)
    assert await fixture.queries.gate.budget_spent("100000000000001", "register") == (
        7,
        fixture.now + timedelta(minutes=1),
    )
    fixture.advance(minutes=1, seconds=1)
    await fixture.spend_calls(migration)
    fixture.advance(minutes=1)
    await assert_refused(fixture, migration)


async def test_a_second_migration_of_a_number_shares_its_budget(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    await fixture.spend_calls(migration, times=ALLOWED)
    number_id = (await fixture.queries.positions.get(migration)).number_id
    fixture.advance(minutes=2)
    await fixture.end_migration(migration)
    await assert_refused(fixture, await fixture.start_migration(number_id))


@pytest.mark.parametrize(
    ("end", "left"),
    [(AttemptEnd.NEVER_LEFT, 0), (AttemptEnd.REFUSED, 1), (AttemptEnd.DONE, 1), (AttemptEnd.NOT_DONE, 1)],
)
async def test_only_a_call_that_was_never_sent_costs_nothing(
    fixture: LedgerFixture, end: AttemptEnd, left: int
) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.close_attempt(lease, await fixture.open_attempt(lease, budget="register"), end)
    assert (await fixture.queries.gate.budget_spent("100000000000001", "register"))[0] == left


async def test_a_repeated_call_is_counted_again(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    first = await fixture.open_attempt(lease, budget="register")
    second = await fixture.open_attempt(lease, budget="register", closes=first, witnesses={"onprem": "serving"})
    assert (first.number, second.number) == (1, 2)
    assert (await fixture.queries.gate.budget_spent("100000000000001", "register"))[0] == 2
    ended = [row["ended"] for row in await fixture.queries.records.attempts(migration)]
    assert ended == [AttemptEnd.NOT_DONE, None]


async def test_a_repeat_refused_by_the_budget_leaves_the_first_attempt_open(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(register_calls_before=6)
    lease = await fixture.lease(migration)
    first = await fixture.open_attempt(lease, budget="register")
    with pytest.raises(BudgetSpent):
        await fixture.open_attempt(lease, budget="register", closes=first)
    attempt = await fixture.queries.records.open_attempt(migration)
    assert attempt is not None
    assert attempt.id == first.id
