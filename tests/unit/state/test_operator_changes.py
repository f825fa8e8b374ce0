"""What a person may change, and what stops them: an open attempt, a worker at work, the point of no return, an end."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from state.enums import AttemptEnd, Disposition, Side, Status
from state.errors import Conflict, LeaseLost, NotFound
from state.ledger import Move
from state.ledger.changes import AttemptClosed, ResultFound, SideRestored
from state.rows import SealedSecret
from tests.harness.ledger_fixture import MINUTE, LedgerFixture

SEALED = SealedSecret("code", b"c", b"k", "id")
Change = Callable[[LedgerFixture, int], Awaitable[Any]]
CHANGES: dict[str, Change] = {
    "switch": lambda t, m: t.ledger.operator_changes.switch(m, "CODE_AFTER", "snapshot", "no backup", "tester"),
    "reopen": lambda t, m: t.ledger.operator_changes.reopen(m, "back_up", "stale", "tester"),
    "abort": lambda t, m: t.ledger.operator_changes.switch(
        m, "ABORT", "switch_route", "enough", "tester", before_crossing=True
    ),
}


async def unanswered(fixture: LedgerFixture, **more: Any) -> int:
    """A migration with an attempt whose worker is gone."""
    migration = await fixture.import_number()
    await fixture.open_attempt(await fixture.lease(migration), **more)
    fixture.advance(minutes=10)
    return migration


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_while_an_attempt_is_open(fixture: LedgerFixture, change: str) -> None:
    migration = await unanswered(fixture)
    before, counts = await fixture.queries.positions.get(migration), await fixture.row_counts()
    with pytest.raises(Conflict, match="N-0001 has a call whose outcome is not known yet; nothing was changed"):
        await CHANGES[change](fixture, migration)
    assert (await fixture.queries.positions.get(migration), await fixture.row_counts()) == (before, counts)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_under_a_worker(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    await fixture.lease(migration)
    with pytest.raises(LeaseLost, match="N-0001 is held by another worker"):
        await CHANGES[change](fixture, migration)


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_changed_after_the_end(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    await fixture.end_migration(migration)
    with pytest.raises(Conflict, match="N-0001 is aborted"):
        await CHANGES[change](fixture, migration)
    with pytest.raises(NotFound):
        await CHANGES[change](fixture, migration + 1)


@pytest.mark.parametrize("change", CHANGES)
async def test_what_may_be_changed_shuts_an_earlier_worker_out(fixture: LedgerFixture, change: str) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    fixture.advance(minutes=2)
    await CHANGES[change](fixture, migration)
    with pytest.raises(LeaseLost):
        await fixture.ledger.moves.record(lease, Move("register", Status.READY, "advanced", to="confirm"))
    kinds = {"switch": "switched", "reopen": "reopened", "abort": "switched"}
    last = (await fixture.queries.records.events(migration))[-1]
    assert (last.kind, last.facts["by"]) == (kinds[change], "tester")


async def test_a_switch_puts_the_number_on_its_first_step_and_forgets_results(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.ledger.moves.record(
        lease, Move("register", Status.READY, "advanced", changes=(ResultFound({"a": 1}),))
    )
    assert await fixture.queries.records.findings(migration)
    await CHANGES["switch"](fixture, migration)
    at = await fixture.queries.positions.get(migration)
    assert (at.itinerary, at.next_step, at.status) == ("CODE_AFTER", "snapshot", Status.READY)
    assert await fixture.queries.records.findings(migration) == {}


async def test_past_the_point_of_no_return_there_is_nothing_to_abort(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.close_attempt(lease, await fixture.open_attempt(lease, changes_side=True))
    fixture.advance(minutes=10)
    with pytest.raises(Conflict, match="past its point of no return"):
        await CHANGES["abort"](fixture, migration)


async def test_one_number_has_one_live_migration(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    number_id = (await fixture.queries.positions.get(migration)).number_id
    with pytest.raises(Conflict):
        await fixture.start_migration(number_id)
    await fixture.end_migration(migration)
    assert await fixture.start_migration(number_id) != migration


async def test_a_code_is_taken_while_a_worker_acts_and_replaces_the_one_before(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(step="verify_code")
    await fixture.lease(migration)
    for by in ("first", "second"):
        await fixture.ledger.operator_changes.enter_code(migration, SEALED, "number:1", by)
    code = await fixture.queries.records.latest_code(migration)
    assert code is not None
    assert (code.entered_by, code.state) == ("second", "entered")
    assert [row.state for row in await fixture.sql("SELECT state FROM codes ORDER BY id")] == ["replaced", "entered"]


async def test_a_code_wakes_a_number_that_waits_for_it(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(step="verify_code")
    lease = await fixture.lease(migration)
    wait = Move("verify_code", Status.WAITING, "waiting", until=fixture.now + 60 * MINUTE, reason="a code")
    await fixture.ledger.moves.record(lease, wait)
    await fixture.ledger.operator_changes.enter_code(migration, SEALED, "number:1", "tester")
    at = await fixture.queries.positions.get(migration)
    assert (at.status, at.waiting_until) == (Status.READY, None)


async def test_a_hold_works_while_a_worker_acts_and_leaves_its_lease(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    await fixture.ledger.operator_changes.hold(migration, True, "tester")
    await fixture.ledger.moves.record(lease, Move("register", Status.READY, "advanced", to="confirm"))
    assert (await fixture.queries.positions.get(migration)).hold


async def test_a_disposition_ends_what_has_not_crossed(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    number_id = (await fixture.queries.positions.get(migration)).number_id
    await fixture.ledger.operator_changes.dispose(number_id, Disposition.CHURNED, "left us", {"ticket": 7}, "tester")
    at = await fixture.queries.positions.get(migration)
    assert (at.status, at.disposition, at.next_step) == (Status.SKIPPED, "churned", None)


async def test_a_call_that_never_left_puts_the_side_back(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number()
    lease = await fixture.lease(migration)
    attempt = await fixture.open_attempt(lease, changes_side=True, budget="register")
    assert (await fixture.queries.positions.get(migration)).side is Side.UNKNOWN
    move = Move(
        "register",
        Status.READY,
        "never_left",
        changes=(AttemptClosed(attempt.id, AttemptEnd.NEVER_LEFT), SideRestored(Side.ON_PREMISES)),
    )
    await fixture.ledger.moves.record(lease, move)
    at = await fixture.queries.positions.get(migration)
    assert (at.side, at.crossed_at, at.dark_since, at.dark_by_us) == (Side.ON_PREMISES, None, None, False)
    assert (await fixture.row_counts())["budget_calls"] == 0
