"""The receiver that docs/hooks.md shows: what the page promises is what its code does."""

import asyncio
import hashlib
import hmac
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from migration.clients.http import HttpClient
from migration.clients.traffic_hooks import KEY, SIGNATURE, TIMESTAMP, HookDone, TrafficHooks
from migration.clock import SystemClock
from migration.steps.traffic import announcement_body, outbox_key
from state.enums import Side
from tests.harness.positions import NOW, make_position

PAGE = Path(__file__).resolve().parents[3] / "docs/hooks.md"
SECRET = b"secret"
LATER = 1e12
E164 = make_position().e164


@pytest.fixture
def receiver() -> Any:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["Receiver"](SECRET)


class _Receiving(httpx.AsyncBaseTransport):
    """The page's receiver behind HTTP, as the product meets it."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver
        self.seen: list[tuple[bytes, httpx.Headers]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((request.content, request.headers))
        status, body = self._receiver.receive(request.content, request.headers)
        return httpx.Response(status, json=body)


async def _answer(transport: _Receiving, event: str, to: Side = Side.CLOUD, **state: Any) -> Any:
    hooks = TrafficHooks(HttpClient(transport, SystemClock()), "https://senders.test/hook", SecretStr("secret"))
    body = announcement_body(make_position(**state), NOW, event, Side.ON_PREMISES, to)
    return await hooks.announce(body, outbox_key(body), send_by=LATER)


def _send(receiver: Any, event: str, to: Side = Side.CLOUD, **state: Any) -> int:
    """200: done; 409: a veto."""
    answer = asyncio.run(_answer(_Receiving(receiver), event, to, **state))
    return 200 if isinstance(answer, HookDone) else 409


def test_a_pause_before_the_crossing_lapses_and_one_after_it_does_not(receiver: Any) -> None:
    late = NOW + timedelta(hours=1)
    assert receiver.may_send(E164, NOW) == "on_premises"
    assert _send(receiver, "pause_sends", epoch=1) == 200
    assert (receiver.may_send(E164, NOW), receiver.may_send(E164, late)) == (None, "on_premises")
    assert _send(receiver, "pause_sends", epoch=2, crossed_at=NOW) == 200
    assert (receiver.may_send(E164, NOW), receiver.may_send(E164, late)) == (None, None)
    assert _send(receiver, "switch_route", epoch=3) == _send(receiver, "resume_sends", epoch=4) == 200
    assert receiver.may_send(E164, NOW) == "cloud"


def test_a_message_that_was_overtaken_has_no_effect(receiver: Any) -> None:
    assert _send(receiver, "resume_sends", epoch=5) == 200
    assert _send(receiver, "pause_sends", epoch=4) == 200
    assert receiver.may_send(E164, NOW) == "cloud"


def test_another_home_is_refused_and_never_taken_for_a_repeat(receiver: Any) -> None:
    assert _send(receiver, "pause_sends", epoch=5, home="first") == 200
    assert _send(receiver, "pause_sends", epoch=1, home="second") == 409
    assert _send(receiver, "switch_route", epoch=2, home="second") == 409
    assert _send(receiver, "resume_sends", epoch=9, home="second") == 200
    assert receiver.may_send(E164, NOW) is None, "the pause of the first home goes on"
    assert _send(receiver, "switch_route", epoch=6, home="first.after-a-restore") == 200
    assert _send(receiver, "resume_sends", epoch=7, home="first.after-a-restore") == 200
    assert _send(receiver, "pause_sends", epoch=99, home="second") == 409, "the first home has moved the number"
    assert receiver.may_send(E164, NOW) == "cloud"


def test_another_home_may_begin_where_the_first_took_everything_back(receiver: Any) -> None:
    assert _send(receiver, "pause_sends", epoch=8, home="first") == 200
    assert _send(receiver, "resume_sends", Side.ON_PREMISES, epoch=9, home="first") == 200
    assert _send(receiver, "pause_sends", epoch=1, home="second") == 200
    assert receiver.may_send(E164, NOW) is None


@pytest.mark.parametrize("changed", ["body", "key", "time", "late", "secret"])
def test_a_message_that_is_not_as_it_was_sent_is_refused(receiver: Any, changed: str) -> None:
    transport = _Receiving(receiver)
    asyncio.run(_answer(transport, "pause_sends", epoch=1))
    ((body, sent),) = transport.seen
    headers = {name: sent[name] for name in (TIMESTAMP, KEY, SIGNATURE)}
    match changed:
        case "body":
            body = body.replace(b"pause_sends", b"resume_sends")
        case "key":
            headers[KEY] += "0"
        case "time":
            headers[TIMESTAMP] = str(int(headers[TIMESTAMP]) + 60)
        case "late":
            old = str(int(headers[TIMESTAMP]) - 301)
            signed = hmac.new(SECRET, f"{old}.{headers[KEY]}.".encode() + body, hashlib.sha256).hexdigest()
            headers |= {TIMESTAMP: old, SIGNATURE: f"sha256={signed}"}
        case _:
            headers[SIGNATURE] = "sha256=ü"
    assert receiver.receive(body, headers)[0] == 401
