"""What a step declares as its longest call is what its calls really may take, whatever the far side does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.commands import LONGEST_S, CommandResult, NamedCommands
from migration.clients.graph import GraphApi
from migration.clients.http import HttpClient
from migration.clients.onprem import OnPremApi
from migration.clients.onprem_login import LoginSession
from migration.clients.traffic_hooks import TrafficHooks
from migration.engine.itineraries import ITINERARIES
from migration.engine.step_decider import LEASE_MARGIN
from migration.engine.step_run import READING, SEND_WITHIN
from migration.errors import MigrationError
from migration.runtime import command_guard
from migration.scrubbing.texts import as_safe
from migration.steps.number import Number
from migration.steps.outcomes import Intent
from migration.steps.protocol import Step
from state.enums import Promise
from tests.harness.fake_clients import FakeSecrets
from tests.harness.hand_made_number import INSTANCE, make_code, make_intent, make_number, own_readings
from tests.harness.virtual_time import VirtualClock, run_virtually

SECRET = SecretStr("482913")
BACKUP = json.dumps({"data": "blob", "password": "p4ss"})
STEPS = {entry.name: entry.step for itinerary in ITINERARIES.values() for entry in itinerary.steps}
CALLING = sorted(STEPS)
INTENT: Intent = make_intent(
    {
        "route": "cloud",
        "region": "BR",
        "method": "SMS",
        "language": "en",
        "asked": 1,
        "cc": "1",
        "cert": "cert",
        "correlation": "smoke-1",
        "changes": {"about": "Hello"},
        "command": "stop-client",
        "body": {"migration_id": 1, "event": "pause_sends", "epoch": 1, "deadline": "2026-01-01T00:00:00+00:00"},
    },
    {"pin": "112233", "backup": BACKUP, "password": "p4ss", "code": "905417"},
)


class Dripping(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.9)
            yield b" "


async def drips(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, stream=Dripping())


async def is_silent(request: httpx.Request) -> httpx.Response:
    await asyncio.sleep(10**6)
    raise AssertionError("nobody waits so long")


async def is_slow(request: httpx.Request) -> httpx.Response:
    """Every answer is good, and comes just before its deadline."""
    await asyncio.sleep(4.9 if request.url.host == "client.test" else 9.9)
    body: dict[str, Any] = {"id": "1", "success": True, "users": [{"token": "t"}]}
    body |= {"health": {"gateway_status": "connected"}, "platform_type": "ON_PREMISE", "status": "CONNECTED"}
    return httpx.Response(200, json=body)


async def renews(request: httpx.Request) -> httpx.Response:
    """A slow log-in, and a token that is refused just before the deadline."""
    await asyncio.sleep(4.5)
    login = request.url.path.endswith("/users/login")
    return httpx.Response(200 if login else 401, json={"users": [{"token": "t"}]} if login else {})


class LongestCommand(NamedCommands):
    """Ends when its guard would end it: after the longest time that may be named, as late as the guard may notice."""

    async def run(
        self, name: str, arguments: Mapping[str, str], *, send_by: float, at_most_s: float = LONGEST_S
    ) -> CommandResult:
        await asyncio.sleep(LONGEST_S + command_guard._TICK_S)
        return CommandResult(True, as_safe("done"))


FAR_SIDES = [drips, is_silent, is_slow, renews]


def number_at(answer: Callable[[httpx.Request], Any], clock: VirtualClock, *, logged_in: bool) -> Number:
    def http() -> HttpClient:
        return HttpClient(httpx.MockTransport(answer), clock)

    session = LoginSession(SECRET, clock.now().replace(year=2040)) if logged_in else LoginSession()
    cloud = GraphApi(http(), http, "https://graph.test", SECRET)
    return replace(
        make_number(
            secrets=FakeSecrets(pin="112233", backup=BACKUP, code="905417"),
            code=make_code(),
            smoke_to="+15550100000",
            storage_region="BR",
            results={"snapshot": {"profile": {"about": "Hello"}}},
            instance=INSTANCE,
        ),
        cloud=cloud,
        commands=LongestCommand({}),
        shared=own_readings(cloud),
        onprem=OnPremApi(http(), "https://client.test", "admin", SECRET, session, "client-1"),
        hooks=TrafficHooks(http(), "https://senders.test/hook", SECRET),
    )


async def _time_of(work: Any, clock: VirtualClock) -> float:
    began = clock.boot_time()
    with suppress(MigrationError):
        await work
    return clock.boot_time() - began


@pytest.mark.parametrize("far_side", FAR_SIDES, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("route", ["cloud", "onprem"])
@pytest.mark.parametrize("name", CALLING)
def test_a_call_ends_within_what_its_step_declares(name: str, route: str, far_side: Any) -> None:
    step: Step = STEPS[name]

    async def work(clock: VirtualClock) -> float:
        number = number_at(far_side, clock, logged_in=far_side is not renews)
        intent = replace(INTENT, facts={**INTENT.facts, "route": route}, send_by=clock.boot_time() + 1e6)
        return await _time_of(step.apply(number, intent), clock)

    longest = READING if step.contract.promise is Promise.READ else step.contract.longest_call
    assert run_virtually(work) <= longest.total_seconds()


@pytest.mark.parametrize("far_side", FAR_SIDES, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("name", sorted(STEPS))
def test_reading_before_an_intent_ends_within_the_lease(name: str, far_side: Any) -> None:
    step: Step = STEPS[name]

    async def work(clock: VirtualClock) -> float:
        number = number_at(far_side, clock, logged_in=False)

        async def before() -> None:
            await step.check(number)
            await step.probe(number, None)
            await step.prepare(number)

        return await _time_of(before(), clock)

    assert run_virtually(work) <= READING.total_seconds()


@pytest.mark.parametrize("far_side", FAR_SIDES, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("name", CALLING)
def test_a_call_and_the_reading_after_it_end_within_the_lease(name: str, far_side: Any) -> None:
    step: Step = STEPS[name]

    async def work(clock: VirtualClock) -> float:
        number = number_at(far_side, clock, logged_in=True)
        intent = replace(INTENT, send_by=clock.boot_time() + 1e6)
        took = await _time_of(step.apply(number, intent), clock)
        return took + await _time_of(step.probe(number, intent), clock)

    if step.contract.promise is not Promise.READ:
        lease = step.contract.longest_call + SEND_WITHIN + LEASE_MARGIN
        assert run_virtually(work) <= lease.total_seconds()
