"""How often a worker has put a number back on a step since a person last decided about it."""

from datetime import timedelta

from state.enums import Status
from state.ledger.moves import Move
from tests.harness.ledger_fixture import LedgerFixture


async def put_back(fixture: LedgerFixture, migration: int, to: str) -> None:
    """As a worker does that finds an input stale, and then does that step again."""
    lease = await fixture.lease(migration)
    await fixture.ledger.moves.record(lease, Move("register", Status.READY, "reopened", {"because": "stale"}, to=to))
    lease = await fixture.lease(migration)
    await fixture.ledger.moves.record(lease, Move(to, Status.READY, "advanced", to="register"))
    fixture.now += timedelta(seconds=1)


async def test_each_step_counts_by_itself_until_a_person_decides(fixture: LedgerFixture) -> None:
    migration, changes = await fixture.import_number(1), fixture.ledger.operator_changes

    async def times(step: str) -> int:
        return await fixture.queries.records.reopened(migration, step)

    for step in ("secure_pin", "back_up", "secure_pin"):
        await put_back(fixture, migration, step)
    assert (await times("secure_pin"), await times("back_up"), await times("drain")) == (2, 1, 0)
    await changes.retry(migration, "mended", "tester")
    fixture.now += timedelta(seconds=1)
    assert await times("secure_pin") == 0
    await put_back(fixture, migration, "secure_pin")
    assert await times("secure_pin") == 1


async def test_what_a_person_reopens_does_not_count(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(1)
    for _ in range(3):
        await fixture.ledger.operator_changes.reopen(migration, "secure_pin", "once more", "tester")
        fixture.now += timedelta(seconds=1)
    assert await fixture.queries.records.reopened(migration, "secure_pin") == 0
