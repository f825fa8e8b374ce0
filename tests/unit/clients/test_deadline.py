"""One deadline a call: whatever a far side does, the call ends there, and says whether it may have had its effect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.deadline import PastDeadline, cut_at
from migration.clients.graph import GraphApi
from migration.clients.http import BACKUP_S, LISTING_S, READ_S, READING_S, REGISTER_S, WRITE_S, HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.traffic_hooks import TrafficHooks
from migration.errors import MigrationError, OutcomeUnknown, Transient
from tests.harness.virtual_time import VirtualClock, run_virtually

SECRET = SecretStr("123456")


class Dripping(httpx.AsyncByteStream):
    """A byte every so many seconds, for ever."""

    def __init__(self, every: float) -> None:
        self._every = every

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(self._every)
            yield b" "


async def _drips(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Dripping(0.9))


async def _says_nothing(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(10**6)
    raise AssertionError("nobody waits so long")


async def _sends_empty_chunks(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Dripping(0.001))


async def _renews_for_ever(request: httpx.Request) -> httpx.Response:
    """Every token is refused, and each response takes its time."""
    await asyncio.sleep(4.0)
    if request.url.path.endswith("/users/login"):
        return httpx.Response(200, json={"users": [{"token": "t"}]})
    return httpx.Response(401, stream=Dripping(0.9))


HOSTILE = [_drips, _says_nothing, _sends_empty_chunks]

Call = Callable[[GraphApi, OnPremApi, TrafficHooks], Awaitable[Any]]
CALLS: dict[str, tuple[Call, float, bool]] = {
    "number": (lambda g, o, h: g.number("1"), READ_S, False),
    "numbers": (lambda g, o, h: g.numbers("1"), LISTING_S, False),
    "subscribed_apps": (lambda g, o, h: g.subscribed_apps("1"), LISTING_S, False),
    "certificate": (lambda g, o, h: g.certificate("1"), READ_S, False),
    "settings": (lambda g, o, h: g.settings("1"), READ_S, False),
    "profile": (lambda g, o, h: g.profile("1"), READ_S, False),
    "health": (lambda g, o, h: g.health("1"), READ_S, False),
    "debug_token": (lambda g, o, h: g.debug_token(), READ_S, False),
    "register": (lambda g, o, h: g.register("1", SECRET, None, send_by=5), REGISTER_S, True),
    "deregister": (lambda g, o, h: g.deregister("1", send_by=5), WRITE_S, True),
    "request_code": (lambda g, o, h: g.request_code("1", "SMS", "en", send_by=5), WRITE_S, True),
    "verify_code": (lambda g, o, h: g.verify_code("1", SECRET, send_by=5), WRITE_S, True),
    "set_pin": (lambda g, o, h: g.set_pin("1", SECRET, send_by=5), WRITE_S, True),
    "subscribe": (lambda g, o, h: g.subscribe("1", send_by=5), WRITE_S, True),
    "set_storage": (lambda g, o, h: g.set_storage("1", "BR", send_by=5), WRITE_S, True),
    "send_template": (lambda g, o, h: g.send_template("1", "+1", "t", "en", "c", send_by=5), WRITE_S, True),
    "set_profile": (lambda g, o, h: g.set_profile("1", {}, send_by=5), WRITE_S, True),
    "instance login": (lambda g, o, h: o.login(), READING_S, False),
    "instance health": (lambda g, o, h: o.health(), READING_S, False),
    "instance profile": (lambda g, o, h: o.profile(), READ_S, False),
    "instance queue": (lambda g, o, h: o.callback_queue(), READ_S, False),
    "instance backup": (lambda g, o, h: o.backup(SECRET), BACKUP_S, False),
    "instance PIN": (lambda g, o, h: o.set_two_step(SECRET, send_by=60), WRITE_S, True),
    "instance restore": (lambda g, o, h: o.restore(SECRET, SECRET, send_by=60), BACKUP_S, True),
    "instance code": (lambda g, o, h: o.verify_code(SECRET, send_by=60), WRITE_S, True),
    "announcement": (lambda g, o, h: h.announce({}, "k", send_by=60), WRITE_S, False),
    "ask": (lambda g, o, h: h.ask("https://senders.test/ask", "k", {}), READ_S, False),
}


def clients(
    answer: Callable[[httpx.Request], Any], clock: VirtualClock, session: LoginSession
) -> tuple[GraphApi, OnPremApi, TrafficHooks]:
    def http() -> HttpClient:
        return HttpClient(httpx.MockTransport(answer), clock)

    graph = GraphApi(http(), http, "https://graph.test", SECRET)
    onprem = OnPremApi(http(), "https://client.test", "admin", SECRET, session, "client-1")
    return graph, onprem, TrafficHooks(http(), "https://senders.test/hook", SECRET)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_ends_at_its_deadline(name: str, hostile: Callable[[httpx.Request], Any]) -> None:
    call, longest, write = CALLS[name]

    async def work(clock: VirtualClock) -> tuple[float, MigrationError]:
        # Logged in already, so that a write is sent, and may have had its effect.
        later = clock.now().replace(year=2040)
        session = LoginSession(SECRET, later)
        with pytest.raises(MigrationError) as raised:
            await call(*clients(hostile, clock, session))
        return clock.boot_time(), raised.value

    took, error = run_virtually(work)
    assert took <= longest + 0.1
    assert isinstance(error, OutcomeUnknown) if write else isinstance(error, Transient)


@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("instance") and name != "instance login"])
def test_renewals_are_part_of_the_call(name: str) -> None:
    call, longest, _ = CALLS[name]

    async def work(clock: VirtualClock) -> float:
        with pytest.raises(MigrationError):
            await call(*clients(_renews_for_ever, clock, LoginSession()))
        return clock.boot_time()

    assert run_virtually(work) <= longest + 0.1


@pytest.mark.parametrize("hostile", [_drips, _says_nothing], ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("name", [name for name in CALLS if name.startswith("instance")])
def test_a_log_in_is_part_of_the_call_and_a_call_cut_there_was_not_sent(
    name: str, hostile: Callable[[httpx.Request], Any]
) -> None:
    call, longest, _ = CALLS[name]

    async def work(clock: VirtualClock) -> float:
        with pytest.raises(Transient):
            await call(*clients(hostile, clock, LoginSession()))
        return clock.boot_time()

    assert run_virtually(work) <= min(longest, READING_S) + 0.1


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda answer: answer.__name__)
def test_a_whole_reading_ends_within_ten_seconds(hostile: Callable[[httpx.Request], Any]) -> None:
    async def work(clock: VirtualClock) -> float:
        await clients(hostile, clock, LoginSession())[1].reading()
        return clock.boot_time()

    assert run_virtually(work) <= READ_S + 0.1


def test_a_call_that_waits_for_another_ones_log_in_ends_at_its_own_deadline() -> None:
    async def work(clock: VirtualClock) -> float:
        session = LoginSession()
        await session.lock.acquire()  # another worker logs in, and does not come back
        with pytest.raises(Transient):
            await clients(_drips, clock, session)[1].callback_queue()
        return clock.boot_time()

    assert run_virtually(work) == pytest.approx(READ_S, abs=0.1)


def test_time_that_the_machine_was_suspended_counts() -> None:
    async def work(clock: VirtualClock) -> float:
        suspended_s = 0.0

        def boot_time() -> float:
            return clock.boot_time() + suspended_s

        async def be_suspended() -> None:
            nonlocal suspended_s
            async with cut_at(20.0, boot_time):
                await asyncio.sleep(3.0)
                suspended_s = 3600.0
                await asyncio.sleep(10**6)

        with pytest.raises(TimeoutError):
            await be_suspended()
        return clock.boot_time()

    assert run_virtually(work) <= 4.1


def test_nothing_begins_after_its_deadline() -> None:
    async def work(clock: VirtualClock) -> None:
        with pytest.raises(PastDeadline):
            async with cut_at(0.0, clock.boot_time):
                raise AssertionError("it began")

    run_virtually(work)


async def _knows_no_field(request: httpx.Request) -> httpx.Response:
    """Graph refuses one field more each time, and takes its time."""
    await asyncio.sleep(4.0)
    name = request.url.params.get("fields", "id").split(",")[0]
    message = f"(#100) Tried accessing nonexisting field ({name}) on node type (WhatsAppBusinessPhoneNumber)"
    return httpx.Response(400, json={"error": {"code": 100, "message": message}})


@pytest.mark.parametrize("name", ["number", "certificate", "profile", "health"])
def test_fields_that_graph_does_not_know_are_part_of_the_call(name: str) -> None:
    call, longest, _ = CALLS[name]

    async def work(clock: VirtualClock) -> float:
        with pytest.raises(MigrationError):
            await call(*clients(_knows_no_field, clock, LoginSession()))
        return clock.boot_time()

    assert run_virtually(work) <= longest + 0.1
