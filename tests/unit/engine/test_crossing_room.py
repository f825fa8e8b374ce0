"""Who waits for whom: what is dark never, a number at its gate for those that cross, the rest for all of them."""

import asyncio
from dataclasses import replace

import pytest

from migration.engine.crossing_room import (
    COUNT_EVERY_S,
    LEAST_CROSSING,
    LEAST_OTHERS,
    LONGEST_LAG_S,
    SETTLES_IN_S,
    SOON_BACK_A_PLACE,
    CrossingRoom,
)
from migration.engine.places import Place, place_of
from migration.runtime.stop_request import StopRequest
from state.enums import Side
from state.queries.due import Crossing
from tests.harness.clock import FakeClock
from tests.harness.hand_made_number import NOW, POSITION


class Rooms:
    def __init__(self) -> None:
        self.clock, self.stop = FakeClock(NOW), StopRequest()
        self.room = CrossingRoom(self.clock.boot_time, self.stop)


@pytest.fixture
def rooms() -> Rooms:
    return Rooms()


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_number_at_its_gate_waits_until_one_that_crosses_has_ended() -> None:
    room = Rooms().room
    for number in range(int(LEAST_CROSSING)):
        await room.enter(number)
    late = asyncio.ensure_future(room.enter(99))
    await _settled()
    assert not late.done()
    room.leave(0)
    await late
    assert room.is_crossing(99)


async def test_a_number_that_rests_leaves_its_place_and_comes_back_before_all_others() -> None:
    """The second look at an empty queue comes two seconds after the first; its senders are paused meanwhile."""
    room = Rooms().room
    for number in range(int(LEAST_CROSSING)):
        await room.enter(number)
    other = asyncio.ensure_future(room.enter(90))
    await _settled()
    room.rest(0)
    await other
    assert room.is_resting(0)
    late = asyncio.ensure_future(room.enter(91))
    await _settled()
    back = asyncio.ensure_future(room.enter(0, first=True))
    await _settled()
    assert not back.done()
    room.leave(1)
    await back
    assert (room.is_resting(0), room.is_crossing(0)) == (False, True)
    late.cancel()


async def test_no_more_pass_their_gate_than_the_room_can_take_back(rooms: Rooms) -> None:
    """Their senders are paused while they look twice at an empty queue, and would be paused until there is room."""
    room, away = rooms.room, int(LEAST_CROSSING) * SOON_BACK_A_PLACE
    for number in range(away):
        await room.enter(number)
        room.rest(number, soon_back=True)
    late = asyncio.ensure_future(room.enter(99))
    await _settled()
    assert not late.done()
    assert await room.enter(0, first=True) is False, "there is room for each of them"
    await _settled()
    assert room.is_crossing(99)
    assert late.done()


async def test_whoever_ends_while_it_is_away_makes_room_for_one_at_its_gate(rooms: Rooms) -> None:
    room = rooms.room
    for number in range(int(LEAST_CROSSING) * SOON_BACK_A_PLACE):
        await room.enter(number)
        room.rest(number, soon_back=True)
    late = asyncio.ensure_future(room.enter(99))
    await _settled()
    room.leave(5)
    await _settled()
    assert late.done()


async def test_those_that_wait_for_meta_keep_nobody_at_the_gate(rooms: Rooms) -> None:
    room = rooms.room
    for number in range(int(LEAST_CROSSING) * SOON_BACK_A_PLACE * 2):
        await room.enter(number)
        room.rest(number)
    assert await room.enter(99) is False


async def test_what_crosses_already_is_let_in_whatever_the_limit_says() -> None:
    room = Rooms().room
    for number in range(50):
        room.let_in(number)
    assert room.crossing == 50
    late = asyncio.ensure_future(room.enter(99))
    await _settled()
    assert not late.done()
    late.cancel()


async def test_steps_before_the_gate_wait_for_each_other_and_not_for_those_that_cross() -> None:
    room, begun = Rooms().room, []
    for number in range(50):
        room.let_in(number)

    async def step(number: int, end: asyncio.Event) -> None:
        async with room.other_step(number):
            begun.append(number)
            await end.wait()

    end = asyncio.Event()
    steps = [asyncio.ensure_future(step(number, end)) for number in range(100, 120)]
    await _settled()
    assert len(begun) == int(LEAST_OTHERS)
    end.set()
    await asyncio.gather(*steps)
    assert len(begun) == 20


async def test_the_room_grows_while_the_loop_has_time_and_shrinks_while_it_has_not() -> None:
    rooms = Rooms()
    room = rooms.room
    for number in range(20):
        room.let_in(number)
        room.leave(number)
    grown = room.most
    assert grown == int(LEAST_CROSSING) + 20
    for number in range(grown):
        room.let_in(number)
    room.note_lag(LONGEST_LAG_S * 2)
    assert room.most < grown
    once = room.most
    room.note_lag(LONGEST_LAG_S * 2)
    assert room.most == once  # what was let in has to get through first
    rooms.clock.advance(SETTLES_IN_S)
    room.note_lag(LONGEST_LAG_S * 2)
    assert room.most < once


async def test_some_numbers_always_get_through() -> None:
    """Another program may keep the machine busy for hours."""
    rooms = Rooms()
    for _ in range(100):
        rooms.room.note_lag(10.0)
        rooms.clock.advance(SETTLES_IN_S)
    assert rooms.room.most == int(LEAST_CROSSING)
    for number in range(int(LEAST_CROSSING)):
        await rooms.room.enter(number)


async def test_a_room_that_was_large_for_nothing_shrinks_to_those_that_are_in_it() -> None:
    rooms = Rooms()
    for number in range(1000):
        rooms.room.let_in(number)
        rooms.room.leave(number)
    for number in range(20):
        rooms.room.let_in(number)
    rooms.room.note_lag(LONGEST_LAG_S * 2)
    assert rooms.room.most < 20


async def test_a_request_to_stop_ends_every_wait() -> None:
    rooms = Rooms()
    for number in range(int(LEAST_CROSSING)):
        await rooms.room.enter(number)
    late = asyncio.ensure_future(rooms.room.enter(99))
    await _settled()
    rooms.stop.request()
    await late


async def test_one_that_was_cancelled_while_it_waited_leaves_its_turn_to_the_next() -> None:
    room = Rooms().room
    for number in range(int(LEAST_CROSSING)):
        await room.enter(number)
    first, second = (asyncio.ensure_future(room.enter(number)) for number in (98, 99))
    await _settled()
    room.leave(0)
    first.cancel()
    await second
    assert not room.is_crossing(98)


PAUSED = replace(POSITION, paused_at=NOW)
CROSSED = replace(POSITION, crossed_at=NOW)
DARK = replace(POSITION, side=Side.NEITHER)


@pytest.mark.parametrize(
    ("state", "step", "place"),
    [
        (POSITION, "snapshot", Place.BEFORE_GATE),
        (POSITION, "pause_sends", Place.AT_GATE),
        (POSITION, "register", Place.AT_GATE),
        (POSITION, "no such step", Place.BEFORE_GATE),
        (PAUSED, "drain", Place.PAST_GATE),
        (PAUSED, "snapshot", Place.PAST_GATE),
        (CROSSED, "confirm", Place.PAST_GATE),
        (DARK, "secure_pin", Place.PAST_GATE),
        (replace(DARK, itinerary="ONBOARD"), "subscribe", Place.BEFORE_GATE),  # nobody sends to it yet
        (replace(POSITION, itinerary="ABORT"), "switch_route", Place.PAST_GATE),
    ],
)
def test_where_a_number_is_before_its_next_step(state: object, step: str, place: Place) -> None:
    assert place_of(state, step) is place  # type: ignore[arg-type]


async def test_whoever_had_to_wait_is_told_because_what_it_read_before_may_be_old() -> None:
    room = Rooms().room
    assert [await room.enter(number) for number in range(int(LEAST_CROSSING))] == [False] * int(LEAST_CROSSING)
    late = asyncio.ensure_future(room.enter(99))
    await _settled()
    room.leave(0)
    assert await late


class OtherWorkers:
    """What the other workers of the database have across, beside the numbers of `room`."""

    def __init__(self, numbers: int, workers: int = 1) -> None:
        self.numbers, self.workers = numbers, workers
        self.rooms = Rooms()
        self.room = CrossingRoom(self.rooms.clock.boot_time, self.rooms.stop, self._crossing_now)

    async def _crossing_now(self) -> Crossing:
        return Crossing(self.numbers + self.room.crossing, self.workers + bool(self.room.crossing))

    def count_again(self) -> None:
        self.rooms.clock.advance(COUNT_EVERY_S)


async def test_workers_of_one_database_share_the_room_and_each_may_have_one_number() -> None:
    others = OtherWorkers(numbers=int(LEAST_CROSSING), workers=int(LEAST_CROSSING))
    assert not await others.room.enter(1)  # others have as many across as there is room for
    second = asyncio.ensure_future(others.room.enter(2))
    await _settled()
    assert not second.done()
    others.numbers = others.workers = 0  # theirs have ended
    others.count_again()
    await asyncio.wait_for(second, 10 * COUNT_EVERY_S)
    assert others.room.crossing == 2


async def test_each_worker_may_have_its_equal_part_of_the_room_whatever_the_others_have() -> None:
    """One that had measured room for twenty before the other began left it one number at a time."""
    others = OtherWorkers(numbers=20)
    part = int(LEAST_CROSSING) // 2
    for number in range(part):
        await asyncio.wait_for(others.room.enter(number), 10 * COUNT_EVERY_S)
        others.count_again()
    third = asyncio.ensure_future(others.room.enter(90))
    await _settled()
    assert (others.room.crossing, third.done()) == (part, False)
    third.cancel()


async def test_what_the_others_leave_of_their_part_is_for_whoever_needs_it() -> None:
    others = OtherWorkers(numbers=1)
    for number in range(int(LEAST_CROSSING) - 1):
        await asyncio.wait_for(others.room.enter(number), 10 * COUNT_EVERY_S)
        others.count_again()
    assert others.room.crossing == int(LEAST_CROSSING) - 1


async def test_a_request_to_stop_ends_the_wait_for_other_workers() -> None:
    others = OtherWorkers(numbers=100, workers=100)
    await others.room.enter(1)
    second = asyncio.ensure_future(others.room.enter(2))
    await _settled()
    others.rooms.stop.request()
    await asyncio.wait_for(second, 10 * COUNT_EVERY_S)
