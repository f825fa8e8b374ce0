"""What is only tried out: seen by its own readers, gone at the end, and never in the way of a worker."""

from sqlalchemy import text

from state.dry_run import trial
from state.ledger import Ledger
from state.ledger.waves import NewWave
from state.queries.queries import Queries
from state.types import HandedClock
from tests.harness.ledger_fixture import LedgerFixture


async def test_a_trial_that_a_worker_has_overtaken_goes_on_with_what_is_true_now(fixture: LedgerFixture) -> None:
    """A wave that runs is written to all the time, and every verb looks before it changes anything."""
    first, second = await fixture.import_number(1), await fixture.import_number(2)
    await fixture.ledger.waves.make(NewWave("north"), [first])
    async with trial(fixture.engine) as engine:
        clock = HandedClock(lambda: fixture.now)
        tried, seen = Ledger(engine, clock), Queries(engine, clock)
        assert (await seen.waves.get("north")).numbers == 1
        await fixture.ledger.waves.add("north", [second])  # a worker's, or another person's
        await tried.operator_changes.hold(first, True, "tester")
        assert (await seen.waves.get("north")).numbers == 2
        assert (await seen.positions.get(first)).hold
    assert not (await fixture.queries.positions.get(first)).hold


async def test_a_trial_keeps_nobody_waiting_before_its_first_change(fixture: LedgerFixture) -> None:
    """It may look at both sides first, which takes seconds."""
    first = await fixture.import_number(1)
    async with trial(fixture.engine) as engine:
        await Queries(engine, HandedClock(lambda: fixture.now)).positions.get(first)
        async with fixture.engine.begin() as worker:
            if worker.dialect.name == "sqlite":
                await worker.execute(text("PRAGMA busy_timeout=0"))
            await worker.execute(text("UPDATE number_migrations SET epoch = epoch + 1"))
