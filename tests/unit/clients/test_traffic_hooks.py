"""The partner's traffic hooks: signed, said under a key, and read word for word."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed, TrafficHooks
from migration.errors import MigrationError, Rejected, Transient
from sandbox.app import Sandbox

URL = "https://senders.test/hook"
SECRET = SecretStr("hook-secret")
BODY = {"event": "pause_sends", "migration_id": 1, "epoch": 0, "customer": "Bäckerei"}
LATER = 10_000.0


def hooks(answer: Callable[[httpx.Request], httpx.Response]) -> TrafficHooks:
    return TrafficHooks(httpx.AsyncClient(transport=httpx.MockTransport(answer)), URL, SECRET)


def saying(status: int, body: Any = None) -> TrafficHooks:
    return hooks(lambda request: httpx.Response(status, json=body))


async def test_the_signature_is_over_the_very_bytes_that_leave() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"state": "done"})

    await hooks(answer).announce(BODY, "1:pause_sends:0", send_by=LATER)
    (request,) = seen
    expected = hmac.new(b"hook-secret", request.content, hashlib.sha256).hexdigest()
    assert request.headers["X-Cutover-Signature-256"] == f"sha256={expected}"
    assert request.headers["Idempotency-Key"] == "1:pause_sends:0"
    assert json.loads(request.content) == BODY


@pytest.mark.parametrize(
    ("status", "body", "heard"),
    [
        (200, {"state": "done"}, HookDone()),
        (200, None, HookDone()),
        (202, {"state": "draining", "ask": "https://senders.test/asks/1"}, HookDraining("https://senders.test/asks/1")),
        (409, {"state": "vetoed", "reason": "black friday"}, HookVetoed("black friday")),
        (409, None, HookVetoed("no reason given")),
    ],
)
async def test_an_answer_is_read(status: int, body: Any, heard: Any) -> None:
    assert await saying(status, body).announce(BODY, "k", send_by=LATER) == heard
    assert await saying(status, body).ask(f"{URL}/asks/1") == heard


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Transient), (502, Transient), (503, Transient), (429, Transient), (401, Rejected), (404, Rejected)],
)
async def test_anything_else_is_no_word(status: int, error: type[MigrationError]) -> None:
    with pytest.raises(MigrationError) as raised:
        await saying(status, {}).announce(BODY, "k", send_by=LATER)
    assert type(raised.value) is error


async def test_senders_that_still_drain_need_not_say_again_where_to_ask() -> None:
    assert await saying(202, {"state": "draining"}).ask(f"{URL}/asks/1") == HookDraining(f"{URL}/asks/1")


async def test_draining_without_an_address_to_ask_is_no_word() -> None:
    with pytest.raises(Rejected):
        await saying(202, {"state": "draining"}).announce(BODY, "k", send_by=LATER)


async def test_who_still_drains_when_asked_is_asked_again_at_the_same_place() -> None:
    assert await saying(202, {"state": "draining"}).ask(f"{URL}/asks/1") == HookDraining(f"{URL}/asks/1")
    moved = await saying(202, {"state": "draining", "ask": f"{URL}/asks/2"}).ask(f"{URL}/asks/1")
    assert moved == HookDraining(f"{URL}/asks/2")


async def test_a_refused_signature_says_so() -> None:
    with pytest.raises(Rejected, match="does not accept the signature"):
        await saying(401).announce(BODY, "k", send_by=LATER)


@pytest.mark.parametrize("exc", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError])
async def test_silence_is_said_again_because_a_word_may_be(exc: type[httpx.TransportError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise exc("gone", request=request)

    with pytest.raises(Transient):
        await hooks(answer).announce(BODY, "k", send_by=LATER)
    with pytest.raises(Transient):
        await hooks(answer).ask(f"{URL}/asks/1")


@pytest.mark.parametrize(
    "ask",
    ["https://elsewhere.test/asks/1", "http://169.254.169.254/latest", "https://senders.test.evil.test/", "asks/1", ""],
)
async def test_it_asks_nobody_but_the_hooks_own_host(ask: str) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    with pytest.raises(Rejected):
        await hooks(answer).ask(ask)
    assert asked == []


async def test_the_sandboxs_senders_understand_it() -> None:
    sandbox = Sandbox.build(numbers=1)
    told = sandbox.manifest("http://sandbox")
    row = told["numbers"][0]
    body = {
        "event": "pause_sends",
        "migration_id": 1,
        "e164": row["e164"],
        "customer": "c",
        "waba_id": row["waba_id"],
        "phone_number_id": row["phone_number_id"],
        "from": "on_premises",
        "to": "cloud",
        "epoch": 0,
        "deadline": "2099-01-01T00:00:00+00:00",
    }
    http = httpx.AsyncClient(transport=sandbox.transport())
    right = TrafficHooks(http, told["hook_url"], SecretStr(told["hook_secret"]))
    assert await right.announce(body, "1:pause_sends:0", send_by=LATER) == HookDone()
    wrong = TrafficHooks(http, told["hook_url"], SecretStr("another"))
    with pytest.raises(Rejected):
        await wrong.announce(body, "1:pause_sends:1", send_by=LATER)
