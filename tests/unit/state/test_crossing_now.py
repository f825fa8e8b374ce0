"""How many numbers the workers of one database have across together."""

from datetime import timedelta

from state.enums import Party, Status
from state.ledger.moves import Move
from state.queries.due import Crossing
from tests.harness.ledger_fixture import MINUTE, LedgerFixture


async def test_those_count_that_a_worker_moves_past_their_gate(fixture: LedgerFixture) -> None:
    first, second, third = [await fixture.import_number(index) for index in (1, 2, 3)]
    await fixture.open_attempt(await fixture.lease(first, "worker-1"), changes_side=True)
    await fixture.open_attempt(await fixture.lease(second, "worker-2"), changes_side=True)
    await fixture.lease(third, "worker-2")  # it has not crossed
    assert await fixture.queries.due.crossing_now() == Crossing(numbers=2, workers=2)
    short = Move("register", Status.WAITING, "waiting", until=fixture.now + MINUTE / 4, on=Party.META, reason="lag")
    await fixture.ledger.moves.record(await fixture.lease(second, "worker-2"), short)
    assert await fixture.queries.due.crossing_now() == Crossing(numbers=1, workers=1)  # it only lets time pass
    fixture.now += timedelta(minutes=10) + MINUTE  # both workers are gone
    assert await fixture.queries.due.crossing_now() == Crossing(numbers=0, workers=0)
