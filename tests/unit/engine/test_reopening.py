"""A number is not sent back to the same step for ever."""

from typing import Any

from migration.clients.traffic_hooks import HookDone
from migration.engine.obstacles import RENEWED_BEFORE_PAUSE
from migration.engine.reopening import MOST_REOPENED
from migration.steps.outcomes import Advanced, Blocked, Reopen
from state.enums import Status
from state.rows import FindingRow
from tests.harness.engine_in_memory import EngineInMemory, at_register
from tests.harness.fake_clients import FakeGraph, FakeHooks, FakeOnPrem
from tests.harness.hand_made_number import NOW, SERVING


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


def at_pause(**columns: Any) -> EngineInMemory:
    """At the pause of WITH_BACKUP, with a PIN that was set 41 seconds ago: good for 19 seconds more."""
    engine = EngineInMemory(
        "pause_sends", graph=FakeGraph(), onprem=FakeOnPrem(reading=SERVING), hooks=FakeHooks(announce=HookDone())
    )
    engine.row.update(**columns)
    engine.clock.advance(41)
    engine.row.results["back_up"] = FindingRow("back_up", engine.now(), {})
    return engine


async def test_what_would_be_too_old_after_the_drain_is_done_again_before_senders_are_paused() -> None:
    engine = at_pause()
    assert await engine.run() == Reopen("secure_pin", "secure_pin would be too old before the queue is empty")
    assert engine.hooks is not None
    assert engine.hooks.script.names() == []
    assert engine.row.position.next_step == "secure_pin"


async def test_a_number_whose_senders_are_paused_is_not_sent_back_by_its_pause() -> None:
    assert not isinstance(await at_pause(paused_at=NOW).run(), Reopen)


async def test_a_machine_that_is_slower_than_a_pin_stays_good_moves_numbers_all_the_same() -> None:
    engine = at_pause()
    for _ in range(RENEWED_BEFORE_PAUSE):
        assert isinstance(await engine.run(), Reopen)
        engine.row.update(next_step="pause_sends", status=Status.READY, version=engine.row.position.version + 1)
    assert await engine.run() == Advanced("pause_sends")
