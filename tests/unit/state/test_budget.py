"""Ten calls in a moving 72 h, as Meta counts them; the last three are a person's."""

from datetime import timedelta

import pytest

from state.enums import AttemptEnd
from state.errors import BudgetSpent
from state.ledger.attempts import BUDGET_CALLS, BUDGET_RESERVE
from tests.harness.ledger_fixture import Town

ALLOWED = BUDGET_CALLS - BUDGET_RESERVE


async def refused(town: Town, migration: int, call: str = "register") -> None:
    """The next call is refused, and nothing of it is written."""
    lease = await town.lease(migration)
    before = await town.counts()
    with pytest.raises(BudgetSpent):
        await town.intend(lease, budget=call)
    assert await town.counts() == before
    assert await town.queries.open_attempt(migration) is None


@pytest.mark.parametrize("call", ["register", "deregister"])
async def test_the_eighth_call_is_refused(town: Town, call: str) -> None:
    migration = await town.number()
    await town.spend(migration, call, ALLOWED)
    assert (await town.queries.budget_spent("100000000000001", call))[0] == 7
    await refused(town, migration, call)


async def test_a_person_lets_it_go_to_ten_and_nobody_to_eleven(town: Town) -> None:
    migration = await town.number()
    await town.spend(migration, times=ALLOWED)
    town.later(minutes=2)
    await town.ledger.operator_changes.spend_reserve(migration, "tester")
    await town.spend(migration, times=BUDGET_RESERVE)
    await refused(town, migration)
    town.later(minutes=2)
    await town.ledger.operator_changes.spend_reserve(migration, "tester")
    await refused(town, migration)
    assert "reserve_released" in [event.kind for event in await town.queries.events(migration)]


async def test_each_call_has_a_budget_of_its_own_and_so_has_each_number(town: Town) -> None:
    first, second = await town.number(1), await town.number(2)
    await town.spend(first, times=ALLOWED)
    await town.spend(first, "deregister")
    await town.spend(second)
    await refused(town, first)


async def test_calls_before_the_import_count(town: Town) -> None:
    migration = await town.number(register_calls_before=5, deregister_calls_before=9)
    await town.spend(migration, times=2)
    await refused(town, migration)
    await refused(town, migration, "deregister")


async def test_calls_told_later_count_too(town: Town) -> None:
    migration = await town.number()
    told = town.now - timedelta(hours=1)
    await town.ledger.operator_changes.count_calls_before_import("100000000000001", "register", told, 7)
    await refused(town, migration)
    town.later(hours=71, seconds=1)
    await town.spend(migration)


async def test_the_seventy_two_hours_move(town: Town) -> None:
    migration = await town.number()
    await town.spend(migration)
    town.later(hours=36)
    await town.spend(migration, times=ALLOWED - 1)
    town.later(hours=35, minutes=59)
    await refused(town, migration)
    assert await town.queries.budget_spent("100000000000001", "register") == (7, town.now + timedelta(minutes=1))
    town.later(minutes=1, seconds=1)
    await town.spend(migration)
    town.later(minutes=1)
    await refused(town, migration)


async def test_a_later_migration_of_the_number_has_the_same_budget(town: Town) -> None:
    migration = await town.number()
    await town.spend(migration, times=ALLOWED)
    number_id = (await town.queries.position(migration)).number_id
    town.later(minutes=2)
    await town.end(migration)
    await refused(town, await town.begin(number_id))


@pytest.mark.parametrize(
    ("end", "left"),
    [(AttemptEnd.NEVER_LEFT, 0), (AttemptEnd.REFUSED, 1), (AttemptEnd.DONE, 1), (AttemptEnd.NOT_DONE, 1)],
)
async def test_only_what_never_left_costs_nothing(town: Town, end: AttemptEnd, left: int) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    await town.close(lease, await town.intend(lease, budget="register"), end)
    assert (await town.queries.budget_spent("100000000000001", "register"))[0] == left


async def test_a_repeat_is_a_call_of_its_own(town: Town) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    first = await town.intend(lease, budget="register")
    second = await town.intend(lease, budget="register", closes=first, witnesses={"onprem": "serving"})
    assert (first.number, second.number) == (1, 2)
    assert (await town.queries.budget_spent("100000000000001", "register"))[0] == 2
    ended = [row["ended"] for row in await town.queries.attempts(migration)]
    assert ended == [AttemptEnd.NOT_DONE, None]


async def test_a_repeat_that_the_budget_refuses_leaves_the_first_attempt_open(town: Town) -> None:
    migration = await town.number(register_calls_before=6)
    lease = await town.lease(migration)
    first = await town.intend(lease, budget="register")
    with pytest.raises(BudgetSpent):
        await town.intend(lease, budget="register", closes=first)
    still = await town.queries.open_attempt(migration)
    assert still is not None
    assert still.id == first.id
