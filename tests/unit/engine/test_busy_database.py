"""A database that takes nothing for a while: an answer is written when it takes it again, within the lease."""

import pytest
from sqlalchemy.exc import OperationalError

from migration.steps.outcomes import Advanced
from state.enums import Side
from state.errors import DatabaseBusy
from tests.harness.engine_in_memory import EngineInMemory, at_register
from tests.harness.hand_made_number import ON_CLOUD, ON_PREMISE, REFUSED, SERVING

ERRORS = [DatabaseBusy("locked"), OperationalError("UPDATE", {}, Exception("the connection is closed"))]
# `register` may take 50 s, its first byte 5 s, and the lease lasts 10 s longer.
LEASE_S = 65


class Moves:
    """The ledger's moves, which take nothing for the first `seconds` after a call."""

    def __init__(self, engine: EngineInMemory, exc: Exception, seconds: float) -> None:
        self._engine, self._exc, self._inner = engine, exc, engine.executor._recorder._moves
        self._until = engine.clock.boot_time() + seconds
        self.refused = 0

    async def record(self, *arguments: object, **options: object) -> object:
        if self._engine.clock.boot_time() < self._until:
            self.refused += 1
            raise self._exc
        return await self._inner.record(*arguments, **options)  # type: ignore[arg-type]


def busy_at_register(exc: Exception, seconds: float) -> tuple[EngineInMemory, Moves]:
    engine = at_register(cloud=[ON_PREMISE, ON_CLOUD], reading=[SERVING, REFUSED])
    moves = Moves(engine, exc, seconds)
    engine.executor._recorder._moves = moves  # type: ignore[assignment]
    return engine, moves


@pytest.mark.parametrize("exc", ERRORS, ids=lambda exc: type(exc).__name__)
async def test_an_answer_is_written_once_the_database_takes_it(exc: Exception) -> None:
    engine, moves = busy_at_register(exc, seconds=40)
    assert await engine.run() == Advanced("register")
    assert moves.refused == 40
    assert engine.row.open_attempt is None
    assert engine.graph.script.names().count("register") == 1


async def test_it_ends_with_the_lease_and_the_attempt_stays_open() -> None:
    engine, _ = busy_at_register(DatabaseBusy("locked"), seconds=10_000)
    before = engine.clock.boot_time()
    with pytest.raises(DatabaseBusy):
        await engine.run()
    assert LEASE_S - 2 <= engine.clock.boot_time() - before <= LEASE_S + 2
    assert engine.row.open_attempt is not None
    assert engine.row.position.side is Side.UNKNOWN


async def test_before_a_call_a_busy_database_is_not_waited_for() -> None:
    """Nothing has to be kept; another number's turn comes first."""
    engine = EngineInMemory("snapshot")
    moves = Moves(engine, DatabaseBusy("locked"), seconds=10)
    engine.executor._recorder._moves = moves  # type: ignore[assignment]
    with pytest.raises(DatabaseBusy):
        await engine.run()
    assert moves.refused == 1
