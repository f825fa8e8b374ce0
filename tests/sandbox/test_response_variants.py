"""The switch `noise` varies keys and texts but not their meaning; and the largest webhook bodies."""

import json
from typing import Any

import pytest

from tests.sandbox.partner import Partner, error_code_of
from tests.sandbox.webhook_receiver import CONSUMER, TEMPLATE, Receiver, subscribed_partner

MAX_BYTES = 3 * 1024 * 1024


def keys(body: Any) -> set[str]:
    """Every key at any depth."""
    if isinstance(body, dict):
        return set(body).union(*map(keys, body.values()))
    return set().union(*map(keys, body)) if isinstance(body, list) else set()


async def _webhooks(**switches: Any) -> list[Any]:
    """The webhooks of a sent message, an inbound message and a ban, sorted."""
    partner, receiver = await subscribed_partner(**switches)
    await partner.phone("POST", "messages", json=TEMPLATE)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    await partner.act_in_manager("ban")
    return sorted(receiver.collect(30), key=json.dumps)


def _without(body: Any, names: set[str]) -> Any:
    if isinstance(body, dict):
        return {name: _without(value, names) for name, value in body.items() if name not in names}
    return [_without(item, names) for item in body] if isinstance(body, list) else body


async def test_noise_adds_unknown_keys_to_webhooks() -> None:
    plain, noisy = await _webhooks(), await _webhooks(noise="on")
    extra_keys = keys(noisy) - keys(plain)
    assert len(extra_keys) >= 6
    stripped = sorted(_without(noisy, extra_keys), key=json.dumps)
    assert stripped == plain
    for webhook in noisy:
        [entry] = webhook["entry"]
        [change] = entry["changes"]
        assert all(set(level) & extra_keys for level in (webhook, entry, change, change["value"]))
        assert all(set(row) & extra_keys for row in change["value"].get("statuses", []))


async def test_noise_adds_keys_to_successful_responses() -> None:
    partner = Partner.of("on_cloud", noise="on")
    bodies = [(await partner.phone("GET", params={"fields": "status"})).json() for _ in range(4)]
    assert {body["status"] for body in bodies} == {"CONNECTED"}
    assert all(set(body) - {"id", "status"} for body in bodies)
    assert len({frozenset(body) for body in bodies}) > 1
    assert (await partner.phone("POST", json={"pin": "135790"})).json()["success"] is True


async def test_noise_varies_error_texts_and_keeps_error_code() -> None:
    partner = Partner.of(noise="on")
    errors = [(await partner.register()).json()["error"] for _ in range(10)]
    assert {error["code"] for error in errors} == {133006}
    texts = {error["message"] for error in errors} | {error.get("error_user_msg") for error in errors}
    assert sum(any(ord(char) > 127 for char in text or "") for text in texts) >= 2
    assert any("fbtrace_id" not in error for error in errors)
    assert any(isinstance(error.get("error_data"), str) for error in errors)
    assert all(set(error) >= {"message", "type", "code"} for error in errors)


@pytest.mark.parametrize("noise", ["off", "on"])
async def test_webhook_batch_limits(noise: str) -> None:
    partner = Partner.of("on_cloud", webhook_batch_s=10, message_limits="off", noise=noise)
    receiver = Receiver(partner)
    await _subscribe(partner)
    text = "x" * 4_096
    for index in range(900):
        await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": f"49151{index:08d}", "text": text})
    partner.clock.advance(seconds=10)
    receiver.collect()
    sizes = [len(delivery.body) for delivery in receiver.deliveries]
    assert len(sizes) == 2
    assert all(size <= MAX_BYTES for size in sizes)
    assert sizes[0] > 0.8 * MAX_BYTES, "a batch is filled before it is cut"
    assert sum(delivery.updates for delivery in receiver.deliveries) == 900
    for _ in range(1_001):
        await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER, "text": "x"})
    partner.clock.advance(seconds=10)
    receiver.collect()
    assert [delivery.updates for delivery in receiver.deliveries[2:]] == [1_000, 1]


async def test_oversized_update_is_sent_alone() -> None:
    partner = Partner.of("on_cloud", webhook_batch_s=10)
    receiver = Receiver(partner)
    await _subscribe(partner)
    for text in ("x", "x" * (MAX_BYTES + 1), "x"):
        await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER, "text": text})
    partner.clock.advance(seconds=10)
    receiver.collect()
    assert [delivery.updates for delivery in receiver.deliveries] == [1, 1, 1]


async def _subscribe(partner: Partner) -> None:
    key = f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": "https://app.partner.net/hook", "verify_token": "v"}
    response = await partner.client.post(
        f"/{partner.manifest['app_id']}/subscriptions", json=body | {"access_token": key}
    )
    assert error_code_of(response) is None
    await partner.waba("POST", "subscribed_apps")
