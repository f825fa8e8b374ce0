"""Messages that an On-Premises client has taken: when they leave, and with which code they fail."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.onprem.operator_actions import ACTIONS
from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Far, code_of, taking

TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}
MESSAGE = {"to": "4915112345678", "type": "template", "template": TEMPLATE}
SENT = {"webhooks": {"url": "https://old.partner.net/hook", "message": {"sent": True}}}
Heard = list[tuple[str, int | None, str]]


async def listening(row: str = "{kind: healthy}", **switches: Any) -> Far:
    far = Far.told(row) if not switches else Far.of(**switches)
    assert (await far.onprem("PATCH", "settings/application", json=SENT)).status_code == 200
    return far


async def do(far: Far, *what: str) -> None:
    for one in what:
        assert one in ACTIONS
        await far.oracle("POST", f"instances/{far.row['instance']}", json={"do": one})


def heard(far: Far) -> Heard:
    """Statuses that the partner's webhook is told from now on, with the code of a failure and its title."""
    found: list[Delivery] = []
    for _ in range(3):
        far.sandbox.deliver(taking(found))
        far.clock.pass_(seconds=30)
    rows = [row for one in found for row in json.loads(one.body).get("statuses", [])]
    errors = [(row.get("errors") or [{}])[0] for row in rows]
    return [(row["status"], error.get("code"), error.get("title", "")) for row, error in zip(rows, errors, strict=True)]


@pytest.mark.parametrize(
    ("down", "up"), [("stop", "start"), ("offline", "online"), ("coreapp_down", "coreapp_up"), ("gone", "back")]
)
@pytest.mark.parametrize(("hours", "failed"), [(23, False), (25, True)])
async def test_what_a_client_had_taken_before_it_went_down_for_more_than_a_day_fails_with_408(
    down: str, up: str, hours: int, failed: bool
) -> None:
    far = await listening()
    assert (await far.onprem("POST", "messages", json=MESSAGE)).status_code == 201
    await do(far, down)
    assert heard(far) == []
    far.clock.pass_(hours=hours)
    assert heard(far) == []
    await do(far, up)
    told = heard(far)
    whole = [("sent", None, ""), ("delivered", None, ""), ("read", None, "")]
    assert told == ([("failed", 408, "Message is not valid")] if failed else whole)


async def test_a_day_is_counted_from_when_the_message_was_taken_to_when_the_client_serves() -> None:
    far = await listening()
    await far.onprem("POST", "messages", json=MESSAGE)
    await do(far, "offline")
    far.clock.pass_(hours=24)
    await do(far, "online")
    far.clock.pass_(days=9)  # nobody looked meanwhile: it had left long ago
    found: list[Delivery] = []
    far.sandbox.deliver(taking(found))
    first = json.loads(found[0].body)["statuses"][0]
    assert first["status"] == "sent"
    left = datetime.fromtimestamp(int(first["timestamp"]), tz=far.clock.at.tzinfo)
    assert far.clock.at - left == timedelta(days=9)


async def test_a_client_keeps_messages_while_it_is_cut_off_or_refuses_them() -> None:
    far = await listening(messages_while_disconnected="queued")
    await do(far, "offline")
    assert (await far.onprem("POST", "messages", json=MESSAGE)).status_code == 201
    far.clock.pass_(days=2)
    await do(far, "online")
    assert heard(far) == [("failed", 408, "Message is not valid")]
    await do(far, "stop", "wipe")
    far.tokens.clear()
    assert code_of(await far.onprem("POST", "messages", json=MESSAGE)) == 1011  # it has no number to send from
    for code in (1011, 1014):
        far = await listening(messages_while_disconnected="refused", message_refused_code=code)
        await do(far, "offline")
        assert code_of(await far.onprem("POST", "messages", json=MESSAGE)) == code


async def test_what_waited_when_the_number_went_to_cloud_is_never_sent() -> None:
    far = await listening()
    backup = await far.backup()
    await far.onprem("POST", "messages", json=MESSAGE)
    assert (await far.register(backup=backup)).status_code == 200
    far.clock.pass_(days=2)
    assert heard(far) == []
    assert far.number.side == "cloud"


async def test_only_messages_that_can_leave_are_looked_after() -> None:
    """A client that is down, or whose number went to Cloud, costs nobody a look until it serves again."""
    far = await listening(client_connect_s=5)
    await far.onprem("POST", "messages", json=MESSAGE)
    waiting = far.sandbox.world.sending
    assert list(waiting) == [far.e164]
    await do(far, "offline")
    assert heard(far) == []
    assert not waiting
    await do(far, "online")
    assert heard(far)[:1] == [("sent", None, "")]
    assert not waiting
    await far.onprem("POST", "messages", json=MESSAGE)
    assert (await far.register(backup=await far.backup())).status_code == 200
    assert heard(far) == []
    assert not waiting


async def test_a_number_that_is_limited_for_spam_fails_with_471_and_graph_says_so() -> None:
    far = await listening("{kind: healthy, status: RATE_LIMITED}")
    await far.onprem("POST", "messages", json=MESSAGE)
    assert heard(far) == [("failed", 471, "Spam rate limit hit")]
    assert await far.shows("status") == ["RATE_LIMITED"]
    await do(far, "spam_limit_over")
    await far.onprem("POST", "messages", json=MESSAGE)
    assert [status for status, _, _ in heard(far)] == ["sent", "delivered", "read"]
    await do(far, "spam_limit")
    await far.onprem("POST", "messages", json=MESSAGE)
    assert heard(far) == [("failed", 471, "Spam rate limit hit")]


@pytest.mark.parametrize(
    ("code", "title"),
    [
        (410, "Message expired"),
        (430, "Unsigned certificate"),
        (471, "Spam rate limit hit"),
        (2061, "Template is paused"),
    ],
)
async def test_a_fault_makes_a_message_fail_later_with_any_code(code: int, title: str) -> None:
    far = await listening()
    far.sandbox.faults.add(route="onprem.messages", kind="fails_later", code=code)
    for wanted in ([("failed", code, title)], [("sent", None, ""), ("delivered", None, ""), ("read", None, "")]):
        assert (await far.onprem("POST", "messages", json=MESSAGE)).status_code == 201
        assert heard(far) == wanted
    assert [call.fault for call in far.sandbox.world.calls if call.call == "onprem.messages"] == ["fails_later", None]


async def test_the_same_fault_makes_a_message_fail_on_cloud() -> None:
    far = Far.of("on_cloud")
    key = f"{far.manifest['app_id']}|{far.manifest['app_secret']}"
    told = {"object": "whatsapp_business_account", "callback_url": "https://app.partner.net/x", "access_token": key}
    told |= {"verify_token": "v"}
    await far.client.post(f"/{far.manifest['app_id']}/subscriptions", json=told)
    await far.waba("POST", "subscribed_apps")
    far.sandbox.faults.add(route="messages", kind="fails_later", code=131026)
    sent = {"messaging_product": "whatsapp", "to": "+4915112345678", "type": "template"}
    answer = await far.phone("POST", "messages", json=sent | {"template": TEMPLATE})
    assert answer.status_code == 200
    far.clock.pass_(minutes=1)
    found: list[Delivery] = []
    far.sandbox.deliver(taking(found))
    [row] = [json.loads(one.body)["entry"][0]["changes"][0]["value"]["statuses"][0] for one in found]
    assert (row["status"], row["errors"][0]["code"]) == ("failed", 131026)


@pytest.mark.parametrize(
    "row",
    [
        {"route": "onprem.messages", "kind": "fails_later"},
        {"route": "register", "kind": "fails_later", "code": 408},
        {"route": "messages", "kind": "fails_later", "code": "408"},
        {"route": "messages", "kind": "fails_later", "code": 408, "status": 400},
        {"route": "messages", "kind": "fails_later", "code": 408, "effect": False},
    ],
)
async def test_such_a_fault_says_one_code_and_is_for_sending(row: dict[str, Any]) -> None:
    answer = await Far.of().client.post("/_sandbox/faults", json={"faults": [row]})
    assert answer.status_code == 400


async def test_a_refusal_that_a_fault_says_has_the_client_s_version_in_it() -> None:
    far = Far.of(meta_version="v")
    far.sandbox.faults.add(route="onprem.health", kind="error", code=1018)
    told = (await far.onprem("GET", "health")).json()
    assert told["meta"] == {"version": "v2.53.3", "api_status": "stable"}
    assert told["errors"][0]["title"] == "Not Primary Coreapp"
