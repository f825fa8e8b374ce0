"""A webhook of every kind on request: signed, as Meta's pages show it, and without a change in the world."""

import hashlib
import hmac
from typing import Any

from sandbox.world.sent_webhooks import FIELDS
from tests.sandbox.partner import Partner
from tests.sandbox.webhook_receiver import change_of, subscribed_partner

KINDS = [(field, event) for field, (events, _) in FIELDS.items() for event in events]


async def send(partner: Partner, **body: Any) -> dict[str, Any]:
    sent: dict[str, Any] = await partner.oracle("POST", "webhooks", json={"e164": partner.e164, **body})
    return sent


async def test_every_kind_is_delivered_signed_and_changes_nothing() -> None:
    partner, receiver = await subscribed_partner()
    secret, before = partner.manifest["app_secret"].encode(), await partner.oracle("GET", "world")
    for field, event in KINDS:
        sent = await send(partner, field=field, event=event)
        [webhook] = receiver.collect()
        assert change_of(webhook) == (field, sent["value"])
        delivery = receiver.deliveries[-1]
        signature = hmac.new(secret, delivery.body, hashlib.sha256).hexdigest()
        assert delivery.headers["x-hub-signature-256"] == f"sha256={signature}"
    assert await partner.oracle("GET", "world") == before
    assert len({delivery.body for delivery in receiver.deliveries}) == len(KINDS)


async def test_value_replaces_parts_and_wrong_words_are_refused_with_the_right_ones() -> None:
    partner, _ = await subscribed_partner()
    sent = await send(partner, field="account_update", event="DISABLED_UPDATE", value={"phone_number": "4915100000"})
    assert sent["value"]["phone_number"] == "4915100000"
    assert sent["value"]["ban_info"]["waba_ban_state"] == "DISABLE"
    assert "field is one of messages, account_update" in (await send(partner, field="nothing"))["error"]
    assert "event of security is one of PIN_CHANGED" in (await send(partner, field="security", event="X"))["error"]
    assert "value is an object" in (await send(partner, field="security", value=1))["error"]
