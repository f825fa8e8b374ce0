"""A number is not sent back to the same step for ever."""

from migration.engine.reopening import MOST_REOPENED
from migration.steps.outcomes import Blocked, Reopen
from state.enums import Status
from tests.harness.engine_in_memory import EngineInMemory, at_register


def put_back(engine: EngineInMemory) -> None:
    """The steps before `register` were done again."""
    engine.row.update(next_step="register", status=Status.READY, version=engine.row.position.version + 1)
    engine.clock.advance(61)
    engine.find_all_inputs()


async def test_an_input_that_is_stale_each_time_ends_with_a_person() -> None:
    engine = at_register()
    for _ in range(MOST_REOPENED):
        engine.row.results.clear()
        assert isinstance(await engine.run(), Reopen)
        put_back(engine)
    engine.row.results.clear()
    blocked = await engine.run()
    assert isinstance(blocked, Blocked)
    assert "secure_pin 5 times" in blocked.reason
    assert engine.row.position.status is Status.BLOCKED
    assert engine.row.attempts == []


async def test_a_step_that_another_refusal_sends_back_counts_by_itself() -> None:
    engine = at_register()
    for _ in range(MOST_REOPENED):
        engine.row.results.clear()
        await engine.run()
        put_back(engine)
    del engine.row.results["back_up"]
    assert await engine.run() == Reopen("back_up", "back_up is too old for register")
