"""What the engine asks of a step's earlier attempts, without reading all of them."""

from datetime import timedelta

import pytest

from state.enums import AttemptEnd, Disposition
from state.errors import Conflict
from tests.harness.ledger_fixture import LedgerFixture


async def attempt(fixture: LedgerFixture, migration: int, end: AttemptEnd) -> None:
    lease = await fixture.lease(migration)
    await fixture.close_attempt(lease, await fixture.open_attempt(lease), end)
    fixture.now += timedelta(seconds=1)


async def test_the_last_refused_attempt_of_a_step(fixture: LedgerFixture) -> None:
    migration, records = await fixture.import_number(1), fixture.queries.records
    assert await records.last_refused(migration, "register") is None
    assert await records.last_number(migration, "register") == 0
    for end in (AttemptEnd.REFUSED, AttemptEnd.REFUSED, AttemptEnd.NOT_DONE):
        await attempt(fixture, migration, end)
    refused = await records.last_refused(migration, "register")
    assert refused is not None
    assert (refused["number"], refused["answer"]) == (2, None)
    assert await records.last_number(migration, "register") == 3
    assert await records.last_refused(migration, "back_up") is None


async def test_calls_without_effect_count_until_a_person_says_try_again(fixture: LedgerFixture) -> None:
    migration, changes = await fixture.import_number(1), fixture.ledger.operator_changes

    async def times() -> int:
        return await fixture.queries.records.without_effect(migration, "register")

    for end in (AttemptEnd.NOT_DONE, AttemptEnd.REFUSED, AttemptEnd.NOT_DONE):
        await attempt(fixture, migration, end)
    assert await times() == 2
    await changes.hold(migration, hold=True, by="tester")
    assert await times() == 2
    await changes.retry(migration, "mended", "tester")
    fixture.now += timedelta(seconds=1)
    assert await times() == 0
    await attempt(fixture, migration, AttemptEnd.NOT_DONE)
    assert await times() == 1
    await changes.reopen(migration, "register", "again", "tester")
    assert await times() == 0


async def test_a_number_with_a_call_whose_outcome_is_unknown_gets_no_disposition(fixture: LedgerFixture) -> None:
    migration = await fixture.import_number(1)
    await fixture.open_attempt(await fixture.lease(migration))
    fixture.now += timedelta(hours=1)
    with pytest.raises(Conflict, match="whose outcome is not known"):
        await fixture.ledger.migrations.dispose(1, Disposition.CHURNED, "left us", {}, "tester")
    assert await fixture.sql("SELECT id FROM numbers WHERE disposition IS NOT NULL") == []
