"""Messages that an On-Premises client has accepted: when they are sent, and with which error code they fail."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Partner, error_code_of, recording_receiver

TEMPLATE = {"namespace": "n", "name": "smoke_test", "language": {"policy": "deterministic", "code": "en"}}
MESSAGE = {"to": "4915112345678", "type": "template", "template": TEMPLATE}
WEBHOOK_SETTINGS = {"webhooks": {"url": "https://old.partner.net/hook", "message": {"sent": True}}}
Statuses = list[tuple[str, int | None, str]]


async def partner_with_webhook(row: str = "{kind: healthy}", **switches: Any) -> Partner:
    partner = Partner.from_row(row) if not switches else Partner.of(**switches)
    assert (await partner.onprem("PATCH", "settings/application", json=WEBHOOK_SETTINGS)).status_code == 200
    return partner


def new_statuses(partner: Partner) -> Statuses:
    """Message statuses of the next 90 seconds: status, and error code and title of a failure."""
    deliveries: list[Delivery] = []
    for _ in range(3):
        partner.sandbox.deliver(recording_receiver(deliveries))
        partner.clock.advance(seconds=30)
    rows = [row for delivery in deliveries for row in json.loads(delivery.body).get("statuses", [])]
    errors = [(row.get("errors") or [{}])[0] for row in rows]
    return [(row["status"], error.get("code"), error.get("title", "")) for row, error in zip(rows, errors, strict=True)]


@pytest.mark.parametrize(
    ("down", "up"), [("stop", "start"), ("offline", "online"), ("coreapp_down", "coreapp_up"), ("gone", "back")]
)
@pytest.mark.parametrize(("hours", "failed"), [(23, False), (25, True)])
async def test_message_fails_with_408_after_more_than_a_day_of_downtime(
    down: str, up: str, hours: int, failed: bool
) -> None:
    partner = await partner_with_webhook()
    assert (await partner.onprem("POST", "messages", json=MESSAGE)).status_code == 201
    await partner.act_on_client(down)
    assert new_statuses(partner) == []
    partner.clock.advance(hours=hours)
    assert new_statuses(partner) == []
    await partner.act_on_client(up)
    statuses = new_statuses(partner)
    all_statuses = [("sent", None, ""), ("delivered", None, ""), ("read", None, "")]
    assert statuses == ([("failed", 408, "Message is not valid")] if failed else all_statuses)


async def test_message_age_counts_from_acceptance_to_reconnection() -> None:
    partner = await partner_with_webhook()
    await partner.onprem("POST", "messages", json=MESSAGE)
    await partner.act_on_client("offline")
    partner.clock.advance(hours=24)
    await partner.act_on_client("online")
    partner.clock.advance(days=9)  # nothing was delivered meanwhile; the message was sent when the client reconnected
    deliveries: list[Delivery] = []
    partner.sandbox.deliver(recording_receiver(deliveries))
    first = json.loads(deliveries[0].body)["statuses"][0]
    assert first["status"] == "sent"
    sent_at = datetime.fromtimestamp(int(first["timestamp"]), tz=partner.clock.time.tzinfo)
    assert partner.clock.time - sent_at == timedelta(days=9)


async def test_disconnected_client_queues_or_refuses_messages() -> None:
    partner = await partner_with_webhook(messages_while_disconnected="queued")
    await partner.act_on_client("offline")
    assert (await partner.onprem("POST", "messages", json=MESSAGE)).status_code == 201
    partner.clock.advance(days=2)
    await partner.act_on_client("online")
    assert new_statuses(partner) == [("failed", 408, "Message is not valid")]
    await partner.act_on_client("stop", "wipe")
    partner.tokens.clear()
    assert (
        error_code_of(await partner.onprem("POST", "messages", json=MESSAGE)) == 1011
    )  # a wiped client has no number to send from
    for error_code in (1011, 1014):
        partner = await partner_with_webhook(messages_while_disconnected="refused", message_refused_code=error_code)
        await partner.act_on_client("offline")
        assert error_code_of(await partner.onprem("POST", "messages", json=MESSAGE)) == error_code


async def test_queued_messages_are_never_sent_after_move_to_cloud() -> None:
    partner = await partner_with_webhook()
    backup = await partner.backup()
    await partner.onprem("POST", "messages", json=MESSAGE)
    assert (await partner.register(backup=backup)).status_code == 200
    partner.clock.advance(days=2)
    assert new_statuses(partner) == []
    assert partner.number.side == "cloud"


async def test_only_serving_clients_are_polled_for_messages() -> None:
    """A client that is down, or whose number moved to Cloud, is not polled until it serves again."""
    partner = await partner_with_webhook(client_connect_s=5)
    await partner.onprem("POST", "messages", json=MESSAGE)
    waiting = partner.sandbox.world.sending
    assert list(waiting) == [partner.e164]
    await partner.act_on_client("offline")
    assert new_statuses(partner) == []
    assert not waiting
    await partner.act_on_client("online")
    assert new_statuses(partner)[:1] == [("sent", None, "")]
    assert not waiting
    await partner.onprem("POST", "messages", json=MESSAGE)
    assert (await partner.register(backup=await partner.backup())).status_code == 200
    assert new_statuses(partner) == []
    assert not waiting


async def test_rate_limited_number_fails_with_471() -> None:
    partner = await partner_with_webhook("{kind: healthy, status: RATE_LIMITED}")
    await partner.onprem("POST", "messages", json=MESSAGE)
    assert new_statuses(partner) == [("failed", 471, "Spam rate limit hit")]
    assert await partner.read_fields("status") == ["RATE_LIMITED"]
    await partner.act_on_client("spam_limit_over")
    await partner.onprem("POST", "messages", json=MESSAGE)
    assert [status for status, _, _ in new_statuses(partner)] == ["sent", "delivered", "read"]
    await partner.act_on_client("spam_limit")
    await partner.onprem("POST", "messages", json=MESSAGE)
    assert new_statuses(partner) == [("failed", 471, "Spam rate limit hit")]


@pytest.mark.parametrize(
    ("error_code", "title"),
    [
        (410, "Message expired"),
        (430, "Unsigned certificate"),
        (471, "Spam rate limit hit"),
        (2061, "Template is paused"),
    ],
)
async def test_fails_later_fault_on_premises(error_code: int, title: str) -> None:
    partner = await partner_with_webhook()
    partner.sandbox.faults.add(route="onprem.messages", kind="fails_later", code=error_code)
    for expected in (
        [("failed", error_code, title)],
        [("sent", None, ""), ("delivered", None, ""), ("read", None, "")],
    ):
        assert (await partner.onprem("POST", "messages", json=MESSAGE)).status_code == 201
        assert new_statuses(partner) == expected
    assert [call.fault for call in partner.sandbox.world.calls if call.call == "onprem.messages"] == [
        "fails_later",
        None,
    ]


async def test_fails_later_fault_on_cloud() -> None:
    partner = Partner.of("on_cloud")
    key = f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"
    subscription = {
        "object": "whatsapp_business_account",
        "callback_url": "https://app.partner.net/x",
        "access_token": key,
    }
    subscription |= {"verify_token": "v"}
    await partner.client.post(f"/{partner.manifest['app_id']}/subscriptions", json=subscription)
    await partner.waba("POST", "subscribed_apps")
    partner.sandbox.faults.add(route="messages", kind="fails_later", code=131026)
    message = {"messaging_product": "whatsapp", "to": "+4915112345678", "type": "template"}
    response = await partner.phone("POST", "messages", json=message | {"template": TEMPLATE})
    assert response.status_code == 200
    partner.clock.advance(minutes=1)
    deliveries: list[Delivery] = []
    partner.sandbox.deliver(recording_receiver(deliveries))
    [row] = [json.loads(delivery.body)["entry"][0]["changes"][0]["value"]["statuses"][0] for delivery in deliveries]
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
async def test_invalid_fails_later_fault_is_refused(row: dict[str, Any]) -> None:
    response = await Partner.of().client.post("/_sandbox/faults", json={"faults": [row]})
    assert response.status_code == 400


async def test_error_fault_includes_client_version() -> None:
    partner = Partner.of(meta_version="v")
    partner.sandbox.faults.add(route="onprem.health", kind="error", code=1018)
    body = (await partner.onprem("GET", "health")).json()
    assert body["meta"] == {"version": "v2.53.3", "api_status": "stable"}
    assert body["errors"][0]["title"] == "Not Primary Coreapp"
