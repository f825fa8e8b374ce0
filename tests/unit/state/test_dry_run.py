"""A dry run's changes: its own queries see them, the end discards them, and they never block a worker."""

import pytest
from sqlalchemy import text

from state.dry_run import open_dry_run
from state.errors import Conflict
from state.ledger.ledger import Ledger
from state.ledger.waves import NewWave
from state.queries.queries import Queries
from tests.harness.clock import FakeSqlClock
from tests.harness.ledger_fixture import LedgerFixture


async def test_a_dry_run_sees_what_a_worker_committed_meanwhile(fixture: LedgerFixture) -> None:
    """A running wave is written to all the time, and every command reads before it changes anything."""
    first, second = await fixture.import_number(1), await fixture.import_number(2)
    await fixture.ledger.waves.create(NewWave("north"), [first])
    async with open_dry_run(fixture.engine) as engine:
        clock = FakeSqlClock(lambda: fixture.now)
        ledger, queries = Ledger(engine, clock), Queries(engine, clock)
        assert (await queries.waves.get("north")).numbers == 1
        await fixture.ledger.waves.replan(NewWave("north"), [second])  # by a worker or another operator
        await ledger.operator_changes.hold(first, True, "tester")
        assert (await queries.waves.get("north")).numbers == 2
        assert (await queries.positions.get(first)).hold
    assert not (await fixture.queries.positions.get(first)).hold


async def test_a_dry_run_locks_nothing_before_its_first_change(fixture: LedgerFixture) -> None:
    """The dry run may read both sides first, which takes seconds."""
    first = await fixture.import_number(1)
    async with open_dry_run(fixture.engine) as engine:
        await Queries(engine, FakeSqlClock(lambda: fixture.now)).positions.get(first)
        async with fixture.engine.begin() as worker:
            await worker.execute(text("UPDATE number_migrations SET epoch = epoch + 1"))


async def test_others_can_write_at_any_time_of_a_dry_run(fixture: LedgerFixture) -> None:
    """Before its first change, between its changes, and while it reads and prints."""
    first, other = await fixture.import_number(1), await fixture.import_number(2)

    async def somebody_writes() -> None:
        async with fixture.engine.begin() as worker:
            await worker.execute(text(f"UPDATE number_migrations SET epoch = epoch + 1 WHERE id = {other}"))

    async with open_dry_run(fixture.engine) as engine:
        clock = FakeSqlClock(lambda: fixture.now)
        ledger, queries = Ledger(engine, clock), Queries(engine, clock)
        await somebody_writes()
        await ledger.waves.create(NewWave("north"), [first])
        await somebody_writes()
        await ledger.operator_changes.hold(first, True, "tester")
        await somebody_writes()
        position = await queries.positions.get(first)
        assert (position.wave, position.hold) == ("north", True)
        await somebody_writes()
    position = await fixture.queries.positions.get(first)
    assert (position.wave, position.hold) == (None, False)
    assert (await fixture.queries.positions.get(other)).epoch == 4


async def test_a_dry_run_that_is_refused_has_changed_nothing_and_goes_on(fixture: LedgerFixture) -> None:
    first = await fixture.import_number(1)
    await fixture.ledger.waves.create(NewWave("north"), [])
    async with open_dry_run(fixture.engine) as engine:
        ledger = Ledger(engine, FakeSqlClock(lambda: fixture.now))
        with pytest.raises(Conflict):
            await ledger.waves.create(NewWave("north"), [first])
        await ledger.waves.create(NewWave("south"), [first])
    assert await fixture.sql("SELECT name FROM waves") == [("north",)]
