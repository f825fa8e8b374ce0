"""Noise: the same far side, worded otherwise; and bodies as large as they get."""

import json
from typing import Any

import pytest

from tests.sandbox.partner import Far, code_of
from tests.sandbox.test_webhooks import CONSUMER, TEMPLATE, Receiver, listening

MOST_BYTES = 3 * 1024 * 1024


def keys(told: Any) -> set[str]:
    """Every key, at whatever depth."""
    if isinstance(told, dict):
        return set(told).union(*map(keys, told.values()))
    return set().union(*map(keys, told)) if isinstance(told, list) else set()


async def _webhooks(**switches: Any) -> list[Any]:
    """A send's statuses, an inbound message and news of the account."""
    far, receiver = await listening(**switches)
    await far.phone("POST", "messages", json=TEMPLATE)
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    await far.oracle("POST", "manager", json={"do": "ban", "e164": far.e164})
    return sorted(receiver.hear(30), key=json.dumps)


def _without(told: Any, names: set[str]) -> Any:
    if isinstance(told, dict):
        return {name: _without(value, names) for name, value in told.items() if name not in names}
    return [_without(one, names) for one in told] if isinstance(told, list) else told


async def test_webhooks_have_keys_that_nobody_knows_beside_those_that_all_know() -> None:
    plain, noisy = await _webhooks(), await _webhooks(noise="on")
    more = keys(noisy) - keys(plain)
    assert len(more) >= 6
    stripped = sorted(_without(noisy, more), key=json.dumps)
    assert stripped == plain
    for told in noisy:
        [entry] = told["entry"]
        [change] = entry["changes"]
        assert all(set(level) & more for level in (told, entry, change, change["value"]))
        assert all(set(row) & more for row in change["value"].get("statuses", []))


async def test_successes_have_more_keys_than_their_page() -> None:
    far = Far.of("on_cloud", noise="on")
    answers = [(await far.phone("GET", params={"fields": "status"})).json() for _ in range(4)]
    assert {one["status"] for one in answers} == {"CONNECTED"}
    assert all(set(one) - {"id", "status"} for one in answers)
    assert len({frozenset(one) for one in answers}) > 1
    assert (await far.phone("POST", json={"pin": "135790"})).json()["success"] is True


async def test_errors_come_in_more_than_one_language_with_the_same_code() -> None:
    far = Far.of(noise="on")
    errors = [(await far.register()).json()["error"] for _ in range(10)]
    assert {one["code"] for one in errors} == {133006}
    texts = {one["message"] for one in errors} | {one.get("error_user_msg") for one in errors}
    assert sum(any(ord(char) > 127 for char in text or "") for text in texts) >= 2
    assert any("fbtrace_id" not in one for one in errors)
    assert any(isinstance(one.get("error_data"), str) for one in errors)
    assert all(set(one) >= {"message", "type", "code"} for one in errors)


@pytest.mark.parametrize("noise", ["off", "on"])
async def test_a_batch_is_cut_at_three_megabytes_and_at_a_thousand(noise: str) -> None:
    far = Far.of("on_cloud", webhook_batch_s=10, message_limits="off", noise=noise)
    receiver = Receiver(far)
    await _subscribe(far)
    text = "x" * 4_096
    for at in range(900):
        await far.oracle("POST", "inbound", json={"e164": far.e164, "from": f"49151{at:08d}", "text": text})
    far.clock.pass_(seconds=10)
    receiver.hear()
    sizes = [len(one.body) for one in receiver.got]
    assert len(sizes) == 2
    assert all(size <= MOST_BYTES for size in sizes)
    assert sizes[0] > 0.8 * MOST_BYTES, "and is filled before it is cut"
    assert sum(one.updates for one in receiver.got) == 900
    for _ in range(1_001):
        await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER, "text": "x"})
    far.clock.pass_(seconds=10)
    receiver.hear()
    assert [one.updates for one in receiver.got[2:]] == [1_000, 1]


async def test_one_update_that_is_too_large_alone_goes_alone() -> None:
    far = Far.of("on_cloud", webhook_batch_s=10)
    receiver = Receiver(far)
    await _subscribe(far)
    for text in ("x", "x" * (MOST_BYTES + 1), "x"):
        await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER, "text": text})
    far.clock.pass_(seconds=10)
    receiver.hear()
    assert [one.updates for one in receiver.got] == [1, 1, 1]


async def _subscribe(far: Far) -> None:
    key = f"{far.manifest['app_id']}|{far.manifest['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": "https://app.partner.net/hook", "verify_token": "v"}
    answer = await far.client.post(f"/{far.manifest['app_id']}/subscriptions", json=body | {"access_token": key})
    assert code_of(answer) is None
    await far.waba("POST", "subscribed_apps")
