"""What a person may change, and what stops them: an open attempt, a worker at work, the point of no return, an end."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from state.enums import AttemptEnd, Disposition, Side, Status
from state.errors import Conflict, LeaseLost, NotFound
from state.ledger import Move
from state.ledger.changes import AttemptClosed, ResultFound, SideRestored
from state.rows import SealedSecret
from tests.harness.ledger_fixture import MINUTE, Town

SEALED = SealedSecret("code", b"c", b"k", "id")
Change = Callable[[Town, int], Awaitable[Any]]
CHANGES: dict[str, Change] = {
    "switch": lambda t, m: t.ledger.operator_changes.switch(m, "CODE_AFTER", "snapshot", "no backup", "tester"),
    "reopen": lambda t, m: t.ledger.operator_changes.reopen(m, "back_up", "stale", "tester"),
    "abort": lambda t, m: t.ledger.operator_changes.switch(
        m, "ABORT", "switch_route", "enough", "tester", before_crossing=True
    ),
}


async def unanswered(town: Town, **more: Any) -> int:
    """A migration with an attempt whose worker is gone."""
    migration = await town.number()
    await town.intend(await town.lease(migration), **more)
    town.later(minutes=10)
    return migration


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_while_an_attempt_is_open(town: Town, change: str) -> None:
    migration = await unanswered(town)
    before, counts = await town.queries.position(migration), await town.counts()
    with pytest.raises(Conflict, match="N-0001 has a call whose outcome is not known yet; nothing was changed"):
        await CHANGES[change](town, migration)
    assert (await town.queries.position(migration), await town.counts()) == (before, counts)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_under_a_worker(town: Town, change: str) -> None:
    migration = await town.number()
    await town.lease(migration)
    with pytest.raises(LeaseLost, match="N-0001 is held by another worker"):
        await CHANGES[change](town, migration)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_after_the_end(town: Town, change: str) -> None:
    migration = await town.number()
    await town.end(migration)
    with pytest.raises(Conflict, match="N-0001 is aborted"):
        await CHANGES[change](town, migration)
    with pytest.raises(NotFound):
        await CHANGES[change](town, migration + 1)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_may_be_changed_shuts_an_earlier_worker_out(town: Town, change: str) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    town.later(minutes=2)
    await CHANGES[change](town, migration)
    with pytest.raises(LeaseLost):
        await town.ledger.moves.record(lease, Move("register", Status.READY, "advanced", to="confirm"))
    kinds = {"switch": "switched", "reopen": "reopened", "abort": "switched"}
    last = (await town.queries.events(migration))[-1]
    assert (last.kind, last.facts["by"]) == (kinds[change], "tester")


async def test_a_switch_puts_the_number_on_its_first_step_and_forgets_results(town: Town) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    await town.ledger.moves.record(lease, Move("register", Status.READY, "advanced", changes=(ResultFound({"a": 1}),)))
    assert await town.queries.findings(migration)
    await CHANGES["switch"](town, migration)
    at = await town.queries.position(migration)
    assert (at.itinerary, at.next_step, at.status) == ("CODE_AFTER", "snapshot", Status.READY)
    assert await town.queries.findings(migration) == {}


async def test_past_the_point_of_no_return_there_is_nothing_to_abort(town: Town) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    await town.close(lease, await town.intend(lease, changes_side=True))
    town.later(minutes=10)
    with pytest.raises(Conflict, match="past its point of no return"):
        await CHANGES["abort"](town, migration)


async def test_one_number_has_one_live_migration(town: Town) -> None:
    migration = await town.number()
    number_id = (await town.queries.position(migration)).number_id
    with pytest.raises(Conflict):
        await town.begin(number_id)
    await town.end(migration)
    assert await town.begin(number_id) != migration


async def test_a_code_is_taken_while_a_worker_acts_and_replaces_the_one_before(town: Town) -> None:
    migration = await town.number(step="verify_code")
    await town.lease(migration)
    for by in ("first", "second"):
        await town.ledger.operator_changes.enter_code(migration, SEALED, "number:1", by)
    code = await town.queries.latest_code(migration)
    assert code is not None
    assert (code.entered_by, code.state) == ("second", "entered")
    assert [row.state for row in await town.sql("SELECT state FROM codes ORDER BY id")] == ["replaced", "entered"]


async def test_a_code_wakes_a_number_that_waits_for_it(town: Town) -> None:
    migration = await town.number(step="verify_code")
    lease = await town.lease(migration)
    wait = Move("verify_code", Status.WAITING, "waiting", until=town.now + 60 * MINUTE, reason="a code")
    await town.ledger.moves.record(lease, wait)
    await town.ledger.operator_changes.enter_code(migration, SEALED, "number:1", "tester")
    at = await town.queries.position(migration)
    assert (at.status, at.waiting_until) == (Status.READY, None)


async def test_a_hold_works_while_a_worker_acts_and_leaves_its_lease(town: Town) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    await town.ledger.operator_changes.hold(migration, True, "tester")
    await town.ledger.moves.record(lease, Move("register", Status.READY, "advanced", to="confirm"))
    assert (await town.queries.position(migration)).hold


async def test_a_disposition_ends_what_has_not_crossed(town: Town) -> None:
    migration = await town.number()
    number_id = (await town.queries.position(migration)).number_id
    await town.ledger.operator_changes.dispose(number_id, Disposition.CHURNED, "left us", {"ticket": 7}, "tester")
    at = await town.queries.position(migration)
    assert (at.status, at.disposition, at.next_step) == (Status.SKIPPED, "churned", None)


async def test_a_call_that_never_left_puts_the_side_back(town: Town) -> None:
    migration = await town.number()
    lease = await town.lease(migration)
    attempt = await town.intend(lease, changes_side=True, budget="register")
    assert (await town.queries.position(migration)).side is Side.UNKNOWN
    move = Move(
        "register",
        Status.READY,
        "never_left",
        changes=(AttemptClosed(attempt.id, AttemptEnd.NEVER_LEFT), SideRestored(Side.ON_PREMISES)),
    )
    await town.ledger.moves.record(lease, move)
    at = await town.queries.position(migration)
    assert (at.side, at.crossed_at, at.dark_since, at.dark_by_us) == (Side.ON_PREMISES, None, None, False)
    assert (await town.counts())["budget_calls"] == 0
