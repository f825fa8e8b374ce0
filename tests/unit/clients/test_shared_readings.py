"""What many numbers need of Graph is read once, and not used when it has become too old."""

import asyncio
from datetime import timedelta
from typing import cast

import pytest

from migration.clients.graph import GraphApi
from migration.clients.graph_models import CloudNumber, SubscribedApp, TokenFacts
from migration.clients.shared_readings import (
    BEFORE_CROSSING_AGE,
    NOT_SUBSCRIBED_AGE,
    TOKEN_AGE,
    SharedReadings,
    WabaReadings,
)
from migration.errors import CredentialsRefused, Transient
from migration.scrubbing.texts import SafeText
from tests.harness.clock import START, FakeClock

AGE = BEFORE_CROSSING_AGE


class CountingGraph:
    """Answers each reading after a turn of the event loop, and counts them."""

    def __init__(self, listed: int = 5, fails: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.listed = listed
        self.fails = fails
        self.status = "CONNECTED"

    async def _call(self, name: str) -> None:
        self.calls.append(name)
        await asyncio.sleep(0)
        if self.fails is not None:
            raise self.fails

    async def debug_token(self) -> TokenFacts:
        await self._call("token")
        return TokenFacts(is_valid=True)

    async def subscribed_apps(self, waba_id: str) -> tuple[SubscribedApp, ...]:
        await self._call(f"apps of {waba_id}")
        return ()

    async def number(self, phone_number_id: str) -> CloudNumber:
        await self._call(f"number {phone_number_id}")
        return CloudNumber(id=phone_number_id, status=self.status)

    async def numbers(self, waba_id: str) -> tuple[CloudNumber, ...]:
        await self._call(f"numbers of {waba_id}")
        return tuple(CloudNumber(id=str(number), status=self.status) for number in range(self.listed))


class Rig:
    def __init__(self, graph: CountingGraph | None = None) -> None:
        self.graph = graph or CountingGraph()
        self.clock = FakeClock(START)
        self.shared = SharedReadings(self.clock.boot_time)

    def waba(self, waba_id: str = "w", profile_id: int = 1) -> WabaReadings:
        return WabaReadings(self.shared, cast(GraphApi, self.graph), profile_id, waba_id)


async def test_numbers_that_ask_at_once_share_one_reading() -> None:
    rig = Rig()
    await asyncio.gather(*(rig.waba(waba).token() for waba in "abcdefgh"))
    await asyncio.gather(*(rig.waba(waba).subscribed_apps() for waba in "aabb"))
    assert rig.graph.calls == ["token", "apps of a", "apps of b"]


async def test_another_profile_reads_with_its_own_token() -> None:
    rig = Rig()
    for profile_id in (1, 2, 1):
        await rig.waba(profile_id=profile_id).token()
    assert rig.graph.calls == ["token", "token"]


async def test_the_second_number_of_a_waba_lists_it_for_all_that_follow() -> None:
    rig = Rig()
    numbers = await asyncio.gather(*(rig.waba().number(str(number), AGE) for number in range(5)))
    assert [number.id for number in numbers] == ["0", "1", "2", "3", "4"]
    assert rig.graph.calls == ["number 0", "numbers of w"]
    await rig.waba("v").number("9", AGE)
    assert rig.graph.calls[2:] == ["number 9"]


async def test_one_number_of_a_large_waba_is_read_by_itself() -> None:
    rig = Rig()
    for _ in range(3):
        await rig.waba().number("1", AGE)
    assert rig.graph.calls == ["number 1"]


async def test_a_number_that_is_not_listed_is_read_by_itself() -> None:
    rig = Rig(CountingGraph(listed=1))
    await rig.waba().number("0", AGE)
    assert (await rig.waba().number("7", AGE)).id == "7"
    assert rig.graph.calls == ["number 0", "numbers of w", "number 7"]


@pytest.mark.parametrize("max_age", [AGE, NOT_SUBSCRIBED_AGE])
async def test_a_reading_that_is_too_old_is_made_again(max_age: timedelta) -> None:
    rig = Rig()
    await rig.waba().subscribed_apps(max_age)
    rig.clock.advance(max_age.total_seconds())
    await rig.waba().subscribed_apps(max_age)
    assert len(rig.graph.calls) == 1
    rig.clock.advance(1)
    await rig.waba().subscribed_apps(max_age)
    assert len(rig.graph.calls) == 2


async def test_a_list_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's lease for reading ends; one number by itself is read in time."""

    class EndlessList(CountingGraph):
        async def numbers(self, waba_id: str) -> tuple[CloudNumber, ...]:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("migration.clients.shared_readings.LONGEST_LISTING_S", 0.0)
    rig = Rig(EndlessList())
    numbers = await asyncio.gather(*(rig.waba().number(number, AGE) for number in "012"))
    assert [number.id for number in numbers] == ["0", "1", "2"]


async def test_what_was_read_before_a_call_is_not_used_after_it() -> None:
    rig = Rig()
    for number in "012":
        await rig.waba().number(number, AGE)
    rig.clock.advance(1)
    rig.waba().forget("1")
    rig.graph.status, calls = "DISCONNECTED", len(rig.graph.calls)
    assert (await rig.waba().number("1", AGE)).status == "DISCONNECTED"
    assert (await rig.waba().number("2", AGE)).status == "CONNECTED", "the others were not called"
    assert rig.graph.calls[calls:] == ["number 1"]


async def test_a_refusal_answers_all_and_a_failure_only_those_that_wait() -> None:
    refused = CredentialsRefused("GET /debug_token: expired", 190, SafeText("expired"))
    rig = Rig(CountingGraph(fails=refused))
    answers = await asyncio.gather(*(rig.waba().token() for _ in range(9)), return_exceptions=True)
    assert all(answer is refused for answer in answers)
    with pytest.raises(CredentialsRefused):
        await rig.waba().token()
    assert rig.graph.calls == ["token"]
    rig.clock.advance(TOKEN_AGE.total_seconds() + 1)
    rig.graph.fails = Transient("GET /debug_token: no answer")
    answers = await asyncio.gather(*(rig.waba().token() for _ in range(9)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Transient}
    rig.graph.fails = None
    assert (await rig.waba().token()).is_valid
    assert len(rig.graph.calls) == 3


async def test_whoever_waits_goes_on_where_the_one_who_read_was_stopped() -> None:
    rig = Rig()
    first, second = (asyncio.ensure_future(rig.waba().token()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).is_valid
    assert rig.graph.calls == ["token", "token"]
