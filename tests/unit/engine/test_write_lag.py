"""How long writes of numbers that cross wait: beyond the quickest one, and for nobody else's sake."""

from migration.engine.crossing_room import LEAST_CROSSING, LONGEST_WRITE_WAIT_S, SETTLES_IN_S, CrossingRoom
from migration.engine.write_lag import LAST_WRITES, WriteLag
from migration.runtime.stop_request import StopRequest
from state.database import write_first
from tests.harness.clock import FakeClock
from tests.harness.hand_made_number import NOW


class Writes:
    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.lag = WriteLag(self.clock.boot_time)

    def take(self, seconds: float, *, first: bool = True) -> None:
        write_first(first)
        with self.lag.timing():
            self.clock.advance(seconds)


def test_a_wait_is_what_a_write_takes_beyond_the_quickest_one() -> None:
    writes = Writes()
    for seconds in (0.25, 0.75, 0.5, 0.5, 0.75):  # binary fractions: the clock adds them without an error
        writes.take(seconds)
    assert writes.lag.standing() == 0.25
    assert writes.lag.standing() == 0, "each wait is told once"


def test_a_disk_that_is_slow_now_and_then_is_no_queue() -> None:
    """With fewer numbers across it would be as slow."""
    writes = Writes()
    for seconds in (0.25, 5.0, 0.25, 5.0, 0.25):
        writes.take(seconds)
    assert writes.lag.standing() == 0


def test_a_write_of_a_number_before_its_gate_waits_for_the_others_on_purpose() -> None:
    writes = Writes()
    writes.take(0.25)
    for _ in range(LAST_WRITES):
        writes.take(5.0, first=False)
    assert writes.lag.standing() == 0


async def test_writes_that_wait_leave_less_room_to_cross() -> None:
    """The loop is free all the while: it does nothing but wait for writes."""
    writes, stop = Writes(), StopRequest()
    room = CrossingRoom(writes.clock.boot_time, stop, write_lag=writes.lag.standing)
    for number in range(int(LEAST_CROSSING) * 3):
        await room.enter(number)
        room.leave(number)
        writes.clock.advance(SETTLES_IN_S)
    before = room.most
    writes.take(0.25)
    for _ in range(LAST_WRITES):
        writes.take(0.25 + LONGEST_WRITE_WAIT_S * 2)
    await room.measure()
    assert room.most < before
