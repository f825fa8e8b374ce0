"""How far a wave is, counted by the database: what the progress display asks again and again."""

from sqlalchemy import update

from state.enums import Status
from state.ledger.waves import NewWave
from state.models import MigrationTable
from tests.harness.ledger_fixture import LedgerFixture


async def test_the_counts_are_those_of_the_board(fixture: LedgerFixture) -> None:
    numbers = [await fixture.import_number(index) for index in range(1, 6)]
    await fixture.ledger.waves.create(NewWave("north"), numbers[:3])
    await fixture.lease(numbers[0])
    async with fixture.engine.begin() as tx:
        ended = {"status": Status.DONE, "ended_at": fixture.now, "next_step": None}
        await tx.execute(update(MigrationTable).where(MigrationTable.id == numbers[1]).values(**ended))
    positions = fixture.queries.positions
    step = (await positions.get(numbers[0])).next_step
    fleet, wave = await positions.progress(), await positions.progress(wave="north")
    assert (fleet.total, fleet.ended, fleet.running) == (5, 1, {step: 1})
    assert (wave.total, wave.ended, wave.running) == (3, 1, {step: 1})
    one = await positions.progress(only={numbers[4]})
    assert (one.total, one.ended, one.running) == (1, 0, {})
    assert (await positions.progress(wave="south")).total == 0
