"""Which outcome ends the run of a number, and which wait is slept out."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from migration.engine.crossing_room import LEAST_CROSSING, nothing_crosses
from migration.engine.executor import StepExecutor
from migration.engine.places import KnownPlace, Place
from migration.engine.runner import Busy, NumberRunner, sentence
from migration.engine.write_lag import WriteLag
from migration.runtime.stop_request import StopRequest
from migration.steps.outcomes import Advanced, Blocked, Held, Outcome, Reopen, Switch, Waiting
from state.enums import Party
from state.errors import ConcurrencyLimitReached, Conflict, LeaseLost, NotFound
from state.queries.due import Crossing
from state.rows import Position
from tests.harness.clock import FakeClock
from tests.harness.hand_made_number import NOW, POSITION


class FakeExecutor:
    """Answers `run_next` from a list, in order. Its clock is the database's: `ahead` of the process's."""

    def __init__(self, clock: FakeClock, outcomes: list[Any], ahead: timedelta = timedelta()) -> None:
        self._clock, self._outcomes, self._ahead = clock, outcomes, ahead
        self.asked: list[int] = []
        self.looks: list[KnownPlace] = []
        self.write_lag = WriteLag(clock.boot_time)

    def now(self) -> datetime:
        return self._clock.now() + self._ahead

    async def look(self, _migration_id: int) -> KnownPlace:
        return self.looks.pop(0) if self.looks else KnownPlace(Place.BEFORE_GATE, serves_still=False)

    async def let_go(self, migration_id: int) -> None: ...

    async def crossing_now(self) -> Crossing:
        return await nothing_crosses()

    async def run_next(self, migration_id: int, _seen: Position | None, *, goes_on: bool) -> Outcome:
        self.asked.append(migration_id)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return cast(Outcome, outcome)


def make_runner(*outcomes: Any, ahead: timedelta = timedelta()) -> tuple[NumberRunner, FakeExecutor, FakeClock]:
    clock = FakeClock(NOW)
    executor = FakeExecutor(clock, list(outcomes), ahead)
    return NumberRunner(cast(StepExecutor, executor), clock, StopRequest()), executor, clock


def wait_of(seconds: float) -> Waiting:
    return Waiting(NOW + timedelta(seconds=seconds), Party.META, "not yet")


ENDS: dict[str, Outcome] = {
    "the end of the itinerary": Advanced("deregister_onprem", ended=True),
    "blocked": Blocked("no", "runbooks/refused.md"),
    "held": Held("the number is on hold"),
    "a long wait": wait_of(31),
}
GOES_ON: dict[str, Outcome] = {
    "a step": Advanced("snapshot"),
    "an earlier step again": Reopen("request_code", "the number has to be verified again"),
    "another itinerary": Switch("FORWARD_RECOVERY", "On-Premises takes no number any more"),
    "a short wait": wait_of(30),
    "a wait that is over": wait_of(-5),
}


@pytest.mark.parametrize("case", ENDS)
async def test_this_ends_a_run(case: str) -> None:
    runner, executor, clock = make_runner(ENDS[case])
    assert runner.is_final(ENDS[case])
    assert await runner.run_one(7) == ENDS[case]
    assert executor.asked == [7]
    assert clock.now() == NOW  # nothing was slept out


@pytest.mark.parametrize("case", GOES_ON)
async def test_after_this_the_run_goes_on(case: str) -> None:
    runner, executor, _ = make_runner(GOES_ON[case], Held("stop"))
    assert not runner.is_final(GOES_ON[case])
    assert await runner.run_one(7) == Held("stop")
    assert executor.asked == [7, 7]


@pytest.mark.parametrize(
    "exc", [LeaseLost("held by worker-2"), ConcurrencyLimitReached("waits for its turn"), Conflict("N-1 is done")]
)
async def test_a_number_of_another_worker_is_busy_and_the_run_ends(exc: Exception) -> None:
    runner, executor, _ = make_runner(Advanced("snapshot"), exc)
    assert await runner.run_one(7) == Busy(str(exc))
    assert len(executor.asked) == 2


async def test_a_number_that_does_not_exist_is_an_error() -> None:
    runner, _, _ = make_runner(NotFound("there is no number migration 7"))
    with pytest.raises(NotFound):
        await runner.run_one(7)


# -- waits


@pytest.mark.parametrize(("seconds", "slept"), [(30.0, 30.0), (2.5, 2.5), (0.05, 0.05), (0.0, 0.05), (-9.0, 0.05)])
async def test_a_short_wait_is_slept_on_the_clock_that_was_handed_in(seconds: float, slept: float) -> None:
    runner, _, clock = make_runner(wait_of(seconds), Advanced("confirm", ended=True))
    await runner.run_one(7)
    assert clock.now() == NOW + timedelta(seconds=slept)


async def test_only_a_wait_is_slept_out() -> None:
    runner, _, clock = make_runner()
    for outcome in (*GOES_ON.values(), *ENDS.values()):
        if not isinstance(outcome, Waiting):
            await runner.wait(outcome)
    assert clock.now() == NOW


async def test_waits_are_measured_by_the_database_s_clock() -> None:
    """Our clock is ten minutes behind: a wait of a second would look like one of ten minutes."""
    ahead = timedelta(minutes=10)
    runner, _, clock = make_runner(wait_of(601), Advanced("confirm", ended=True), ahead=ahead)
    assert await runner.run_one(7) == Advanced("confirm", ended=True)
    assert clock.now() == NOW + timedelta(seconds=1)


# -- sentences

SENTENCES: list[tuple[Outcome | Busy, str]] = [
    (Advanced("register"), "register done"),
    (Advanced("register", ended=True), "done"),
    (wait_of(60), "waiting for Meta until 2025-09-01 08:01:00 UTC: not yet"),
    (Blocked("wrong PIN", "runbooks/wrong-pin.md"), "blocked: wrong PIN (see runbooks/wrong-pin.md)"),
    (Held("on hold"), "held: on hold"),
    (Reopen("request_code", "again"), "back to request_code: again"),
    (Switch("FORWARD_RECOVERY", "closed"), "on to FORWARD_RECOVERY: closed"),
    (Busy("worker-2 has it"), "busy: worker-2 has it"),
]


@pytest.mark.parametrize(("outcome", "line"), SENTENCES)
def test_one_line_says_what_the_last_step_did(outcome: Outcome | Busy, line: str) -> None:
    assert sentence(outcome) == line


async def test_a_statement_that_the_database_did_not_take_ends_no_other_run() -> None:
    runner, _, _ = make_runner(OperationalError("UPDATE", {}, Exception("database is locked")))
    outcome = await runner.run_one(7)
    assert isinstance(outcome, Busy)
    assert "OperationalError" in outcome.reason
    assert "UPDATE" not in outcome.reason


async def test_an_error_of_another_kind_leaves_the_runner() -> None:
    runner, _, _ = make_runner(NotFound("no such migration"))
    with pytest.raises(NotFound):
        await runner.run_step(7)


# -- room to cross


async def _crosses(runner: NumberRunner, executor: FakeExecutor, number: int, look: KnownPlace) -> "asyncio.Task[Any]":
    executor.looks.append(look)
    task = asyncio.ensure_future(runner.run_one(number))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


@pytest.mark.parametrize("seen", [None, POSITION], ids=["kept in memory", "read anew"])
async def test_a_number_that_rested_waits_for_room_while_a_side_serves_it(seen: Position | None) -> None:
    """Its senders are paused, and nobody is dark: it is the one that can wait, whether its row was read or kept."""
    runner, executor, _ = make_runner(Held("stop"))
    for other in range(100, 100 + int(LEAST_CROSSING)):
        await runner._room.enter(other)
    runner._room.let_in(7)
    runner._room.rest(7)
    task = await _crosses(runner, executor, 7, KnownPlace(Place.PAST_GATE, serves_still=True, seen=seen))
    assert executor.asked == []
    runner._room.leave(100)
    assert await task == Held("stop")


async def test_a_dark_number_never_waits_for_room() -> None:
    runner, executor, _ = make_runner(Held("stop"))
    for other in range(100, 100 + int(LEAST_CROSSING)):
        await runner._room.enter(other)
    runner._room.let_in(7)
    runner._room.rest(7)
    task = await _crosses(runner, executor, 7, KnownPlace(Place.PAST_GATE, serves_still=False))
    assert executor.asked == [7]
    await task
