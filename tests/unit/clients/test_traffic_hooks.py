"""The partner's traffic hooks: each event is signed and has an idempotency key, and each response is read."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.http import HttpClient
from migration.clients.traffic_hooks import HookDone, HookDraining, HookVetoed, TrafficHooks
from migration.clock import SystemClock
from migration.errors import MigrationError, Rejected, Transient
from migration.scrubbing.texts import SafeText
from sandbox.app import Sandbox

URL = "https://senders.test/hook"
ASKS = f"{URL}/asks/1"
SECRET = SecretStr("hook-secret")
BODY = {"event": "pause_sends", "migration_id": 1, "epoch": 0, "customer": "Bäckerei"}
LATER = 10_000.0
DONE = {"state": "done"}


def hooks(answer: Callable[[httpx.Request], httpx.Response]) -> TrafficHooks:
    return TrafficHooks(HttpClient(httpx.MockTransport(answer), SystemClock()), URL, SECRET)


def hooks_answering(status: int, body: Any = None) -> TrafficHooks:
    return hooks(lambda request: httpx.Response(status, json=body))


@pytest.mark.parametrize("asked", [False, True])
async def test_the_signature_covers_time_key_and_the_bytes_that_are_sent(asked: bool) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=DONE)

    key = "1:pause_sends:0"
    if asked:
        await hooks(answer).ask(ASKS, key, BODY)
    else:
        await hooks(answer).announce(BODY, key, send_by=LATER)
    (request,) = requests
    timestamp = request.headers["X-Cutover-Timestamp"]
    assert abs(datetime.now(UTC).timestamp() - int(timestamp)) < 60
    signed = f"{timestamp}.{key}.".encode() + request.content
    expected = hmac.new(b"hook-secret", signed, hashlib.sha256).hexdigest()
    assert request.headers["X-Cutover-Signature-256"] == f"sha256={expected}"
    assert request.headers["Idempotency-Key"] == key
    assert request.content == b"" if asked else json.loads(request.content) == BODY


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, DONE, HookDone()),
        (202, {"state": "draining", "ask": "https://senders.test/asks/1"}, HookDraining("https://senders.test/asks/1")),
        (409, {"state": "vetoed", "reason": "black friday"}, HookVetoed(SafeText("black friday"))),
        (409, None, HookVetoed(SafeText("no reason given"))),
        (200, DONE | {"in_flight": 2}, HookDone(2)),
        (
            202,
            {"ask": "https://senders.test/asks/1", "in_flight": 12, "until": "2030-01-01T12:03:00+00:00"},
            HookDraining("https://senders.test/asks/1", 12, datetime(2030, 1, 1, 12, 3, tzinfo=UTC)),
        ),
        (
            202,
            {"ask": "https://senders.test/asks/1", "in_flight": "many", "until": "soon"},
            HookDraining("https://senders.test/asks/1"),
        ),
        (409, {"reason": "no", "until": "2099-01-01T00:00:00+00:00"}, HookVetoed(SafeText("no"))),
        (409, {"reason": "no", "until": "soon"}, HookVetoed(SafeText("no"))),
    ],
)
async def test_a_response_is_read(status: int, body: Any, expected: Any) -> None:
    assert await hooks_answering(status, body).announce(BODY, "k", send_by=LATER) == expected
    assert await hooks_answering(status, body).ask(ASKS, "k", BODY) == expected


@pytest.mark.parametrize(
    ("status", "error"),
    [(500, Transient), (502, Transient), (503, Transient), (429, Transient), (401, Rejected), (404, Rejected)],
)
async def test_any_other_status_is_an_error(status: int, error: type[MigrationError]) -> None:
    with pytest.raises(MigrationError) as raised:
        await hooks_answering(status, {}).announce(BODY, "k", send_by=LATER)
    assert type(raised.value) is error


@pytest.mark.parametrize("page", ["<!DOCTYPE html><html>Log in</html>", " \n<html/>", "<?xml version='1.0'?><a/>"])
async def test_the_page_of_a_proxy_confirms_nothing(page: str) -> None:
    with pytest.raises(Transient, match="a page, which no hook sends"):
        await hooks(lambda _: httpx.Response(200, text=page)).announce(BODY, "1", send_by=LATER)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "OK",
        "done",
        '"done"',
        "null",
        "true",
        "[]",
        "{}",
        '[{"state": "done"}]',
        '{"error": "no such number"}',
        '{"state": "error"}',
        '{"state": "Done"}',
        '{"state": ["done"]}',
        '{"State": "done"}',
        '{"state": "draining", "ask": "https://senders.test/asks/1"}',
        '{"state": "done", "error": "the queue is locked"}',
        '{"result": {"state": "done"}}',
        '{"state": "done"',
        '{"state": "done"} {"state": "done"}',
        '<html>{"state": "done"}</html>',
    ],
)
async def test_nothing_but_done_confirms(said: str) -> None:
    answering = hooks(lambda _: httpx.Response(200, text=said))
    with pytest.raises(Transient):
        await answering.announce(BODY, "1", send_by=LATER)
    with pytest.raises(Transient):
        await answering.ask(ASKS, "1", BODY)


async def test_a_draining_response_without_a_url_keeps_the_url_that_was_asked() -> None:
    assert await hooks_answering(202, {"state": "draining"}).ask(ASKS, "k", BODY) == HookDraining(ASKS)


async def test_a_first_draining_response_without_a_url_is_rejected() -> None:
    with pytest.raises(Rejected):
        await hooks_answering(202, {"state": "draining"}).announce(BODY, "k", send_by=LATER)


async def test_a_draining_response_may_name_another_url() -> None:
    assert await hooks_answering(202, {"state": "draining"}).ask(ASKS, "k", BODY) == HookDraining(ASKS)
    redirected = await hooks_answering(202, {"state": "draining", "ask": f"{URL}/asks/2"}).ask(ASKS, "k", BODY)
    assert redirected == HookDraining(f"{URL}/asks/2")


async def test_a_refused_signature_is_named_in_the_error() -> None:
    with pytest.raises(Rejected, match="does not accept the signature"):
        await hooks_answering(401).announce(BODY, "k", send_by=LATER)


@pytest.mark.parametrize("exc", [httpx.ReadTimeout, httpx.ConnectError, httpx.RemoteProtocolError])
async def test_an_event_without_a_response_is_transient(exc: type[httpx.TransportError]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise exc("gone", request=request)

    with pytest.raises(Transient):
        await hooks(answer).announce(BODY, "k", send_by=LATER)
    with pytest.raises(Transient):
        await hooks(answer).ask(ASKS, "k", BODY)


@pytest.mark.parametrize(
    "ask",
    [
        "https://elsewhere.test/asks/1",
        "http://169.254.169.254/latest",
        "https://senders.test.evil.test/",
        "http://senders.test/asks/1",
        "https://senders.test:8443/asks/1",
        "https://senders.test@evil.test/",
        "https://evil.test\\@senders.test/",
        "https://evil.test#@senders.test/",
        "https://senders.test:443@evil.test/",
        "https://a@senders.test/asks/1",
        "https://\uff53enders.test/asks/1",
        "file:///etc/passwd",
        "//senders.test/asks/1",
        "asks/1",
        "",
    ],
)
async def test_only_the_origin_of_the_hook_is_asked(ask: str) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=DONE)

    with pytest.raises(Rejected):
        await hooks(answer).ask(ask, "k", BODY)
    assert requests == []
    with pytest.raises(Rejected):
        await hooks_answering(202, {"ask": ask}).announce(BODY, "k", send_by=LATER)


async def test_the_senders_of_the_sandbox_accept_the_signature() -> None:
    sandbox = Sandbox.build(numbers=1)
    manifest = sandbox.manifest("http://sandbox.localhost")
    number = manifest["numbers"][0]
    body = {
        "event": "pause_sends",
        "migration_id": 1,
        "e164": number["e164"],
        "customer": "c",
        "waba_id": number["waba_id"],
        "phone_number_id": number["phone_number_id"],
        "from": "on_premises",
        "to": "cloud",
        "epoch": 0,
        "deadline": "2099-01-01T00:00:00+00:00",
    }
    http = HttpClient(sandbox.transport(), SystemClock())
    hooks_with_secret = TrafficHooks(http, manifest["hook_url"], SecretStr(manifest["hook_secret"]))
    assert await hooks_with_secret.announce(body, "1:pause_sends:0", send_by=LATER) == HookDone()
    hooks_with_another = TrafficHooks(http, manifest["hook_url"], SecretStr("another"))
    with pytest.raises(Rejected):
        await hooks_with_another.announce(body, "1:pause_sends:1", send_by=LATER)


async def test_a_veto_with_an_end_within_a_day_says_when_to_ask_again() -> None:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    body = {"reason": "a campaign runs", "until": ends.isoformat()}
    vetoed = await hooks_answering(409, body).announce(BODY, "k", send_by=LATER)
    assert vetoed == HookVetoed(SafeText("a campaign runs"), ends)


@pytest.mark.parametrize("more", [{"in_flight": -1}, {"in_flight": "two"}, {"in_flight": None}, {"left": 2}])
async def test_a_done_with_anything_else_beside_it_confirms_nothing(more: dict[str, Any]) -> None:
    with pytest.raises(Transient, match="which says nothing"):
        await hooks_answering(200, DONE | more).announce(BODY, "k", send_by=LATER)
