"""Webhooks: their receivers, envelopes, signatures and retries."""

import hashlib
import hmac
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.partner import CODE_REQUEST, Partner, error_code_of
from tests.sandbox.webhook_receiver import (
    APP_URL,
    CONSUMER,
    PHONE_URL,
    TEMPLATE,
    TEXT,
    WABA_URL,
    Receiver,
    change_of,
    message_statuses,
    set_callback_url,
    subscribed_partner,
)

# -- callback addresses


async def test_callback_url_must_pass_verification() -> None:
    partner = Partner.of("on_cloud")
    receiver = Receiver(partner, verify_token="ours")
    assert error_code_of(await set_callback_url(partner, APP_URL, "theirs")) == 2200
    assert partner.sandbox.world.apps[partner.manifest["app_id"]].callback_url is None
    assert (await set_callback_url(partner, APP_URL, "ours")).json() == {"success": True}
    await partner.waba("POST", "subscribed_apps")
    override = {"override_callback_uri": WABA_URL, "verify_token": "theirs"}
    assert error_code_of(await partner.waba("POST", "subscribed_apps", json=override)) == 2200
    assert await partner.read_fields("webhook_configuration") == [{"application": APP_URL}]
    receiver.verify_token = "theirs"
    assert (await partner.waba("POST", "subscribed_apps", json=override)).status_code == 200
    assert (
        await partner.phone("POST", json={"webhook_configuration": override | {"override_callback_uri": PHONE_URL}})
    ).json()
    assert await partner.read_fields("webhook_configuration") == [
        {"application": APP_URL, "whatsapp_business_account": WABA_URL, "phone_number": PHONE_URL}
    ]
    calls = [(call.call, call.status, call.effect) for call in partner.sandbox.world.calls if call.write]
    assert calls == [
        ("set_subscriptions", 400, False),
        ("set_subscriptions", 200, True),
        ("subscribe", 200, True),
        ("subscribe", 400, False),
        ("subscribe", 200, True),
        ("set_webhook", 200, True),
    ]


@pytest.mark.parametrize("url", ["http://partner.net/hook", "ftp://partner.net", "https://" + "x" * 300])
async def test_callback_url_is_https_and_short(url: str) -> None:
    partner, _ = await subscribed_partner()
    override = {"override_callback_uri": url, "verify_token": "v"}
    assert error_code_of(await partner.waba("POST", "subscribed_apps", json=override)) == 100


async def test_message_webhooks_use_phone_then_waba_then_app_url() -> None:
    partner, receiver = await subscribed_partner()
    urls = []

    async def send_inbound() -> None:
        await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
        receiver.collect()
        urls.append(receiver.deliveries[-1].url)

    await send_inbound()
    await partner.waba("POST", "subscribed_apps", json={"override_callback_uri": WABA_URL, "verify_token": "v"})
    await send_inbound()
    override = {"override_callback_uri": PHONE_URL, "verify_token": "v"}
    await partner.phone("POST", json={"webhook_configuration": override})
    await send_inbound()
    assert urls == [APP_URL, WABA_URL, PHONE_URL]
    await partner.act_in_manager("set_pin", pin="111111")
    receiver.collect()
    assert receiver.deliveries[-1].url == APP_URL, "only message webhooks follow an override"
    await partner.phone("POST", json={"webhook_configuration": {"override_callback_uri": ""}})
    await partner.waba("POST", "subscribed_apps")
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    receiver.collect()
    assert receiver.deliveries[-1].url == APP_URL


async def test_unsubscribed_app_or_field_gets_no_webhook() -> None:
    partner, receiver = await subscribed_partner(subscribed=False)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    assert (receiver.collect(), partner.number.dropped_inbound) == ([], 1)
    partner, receiver = await subscribed_partner(fields="messages,account_update")
    await partner.act_in_manager("set_pin", pin="111111")
    assert receiver.collect() == []
    await partner.act_in_manager("ban")
    assert change_of(receiver.collect()[0])[0] == "account_update"


# -- events


async def test_inbound_message_is_signed_over_raw_body() -> None:
    partner, receiver = await subscribed_partner()
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": f"+{CONSUMER}", "text": "Grüße"})
    [webhook] = receiver.collect()
    field_name, value = change_of(webhook)
    assert (webhook["object"], webhook["entry"][0]["id"], field_name) == (
        "whatsapp_business_account",
        partner.row["waba_id"],
        "messages",
    )
    assert value["metadata"]["phone_number_id"] == partner.row["phone_number_id"]
    [message] = value["messages"]
    assert (message["from"], message["type"], message["text"]) == (CONSUMER, "text", {"body": "Grüße"})
    [delivery] = receiver.deliveries
    assert b"\\u00fc" in delivery.body
    digest = hmac.new(partner.manifest["app_secret"].encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["x-hub-signature-256"] == f"sha256={digest}"


async def test_template_is_sent_delivered_and_read() -> None:
    partner, receiver = await subscribed_partner()
    response = await partner.phone("POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": "c-7"})
    webhooks = receiver.collect(30)
    assert message_statuses(webhooks) == ["sent", "delivered", "read"]
    for webhook in webhooks:
        [row] = change_of(webhook)[1]["statuses"]
        assert (row["id"], row["recipient_id"]) == (response.json()["messages"][0]["id"], CONSUMER)
        assert row["biz_opaque_callback_data"] == "c-7"
    partner, receiver = await subscribed_partner(consumers_read="no")
    await partner.phone("POST", "messages", json=TEMPLATE)
    assert message_statuses(receiver.collect(30)) == ["sent", "delivered"]


async def test_text_outside_window_fails_later_and_inside_does_not() -> None:
    partner, receiver = await subscribed_partner()
    assert (await partner.phone("POST", "messages", json=TEXT)).status_code == 200
    [webhook] = receiver.collect(5)
    [row] = change_of(webhook)[1]["statuses"]
    assert (row["status"], row["errors"][0]["code"]) == ("failed", 131047)
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER})
    receiver.collect()
    await partner.phone("POST", "messages", json=TEXT)
    assert message_statuses(receiver.collect(5)) == ["sent", "delivered"]


async def test_account_webhooks_for_pin_name_throughput_and_ban() -> None:
    partner, receiver = await subscribed_partner()

    async def manage(action: str, **arguments: str) -> list[tuple[str, Any]]:
        await partner.act_in_manager(action, **arguments)
        webhooks = receiver.collect()
        assert all(webhook["entry"][0]["time"] == int(partner.clock.now().timestamp()) for webhook in webhooks)
        return [(name, value.get("event") or value.get("decision")) for name, value in map(change_of, webhooks)]

    assert await manage("set_pin", pin="222222") == [("security", "PIN_CHANGED")]
    assert await manage("two_step_off") == [("security", "PIN_RESET_REQUEST"), ("security", "PIN_REQUEST_SUCCESS")]
    assert await partner.read_fields("is_pin_enabled") == [False]
    assert await manage("rename", name="Other Name") == []
    assert await manage("approve_name") == [("phone_number_name_update", "APPROVED")]
    assert await manage("upgrade_throughput") == []
    assert error_code_of(await partner.phone("POST", "messages", json=TEMPLATE)) == 131057
    partner.clock.advance(seconds=60)
    [webhook] = receiver.collect()
    assert change_of(webhook)[1]["event"] == "THROUGHPUT_UPGRADE"
    assert await partner.read_fields("throughput") == [{"level": "HIGH"}]
    assert await manage("ban") == [("account_update", "DISABLED_UPDATE")]
    assert await partner.read_fields("status") == ["BANNED"]
    assert await manage("reinstate") == [("account_update", "DISABLED_UPDATE")]
    assert await manage("remove_partner") == [("account_update", "PARTNER_REMOVED")]
    assert error_code_of(await partner.waba("GET", "phone_numbers")) == 200
    assert error_code_of(await partner.phone("GET")) == 100


async def test_pin_set_by_api_sends_no_webhook() -> None:
    partner, receiver = await subscribed_partner()
    await partner.phone("POST", json={"pin": "333333"})
    assert receiver.collect(5) == []


async def test_lost_profile_picture_sends_webhook() -> None:
    partner, receiver = await subscribed_partner("verified")
    await partner.register()
    [webhook] = receiver.collect()
    assert change_of(webhook)[1]["alert_info"]["alert_type"] == "PROFILE_PICTURE_LOST"


# -- delivery


async def test_refused_webhook_is_retried_for_seven_days() -> None:
    partner, receiver = await subscribed_partner(webhook_retries="7d")
    receiver.status = 503
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    started, times = partner.clock.now(), list[float]()
    while (due := partner.sandbox.world.outbox.next_due()) is not None:
        partner.clock.time = max(due, partner.clock.time)
        partner.sandbox.deliver(receiver.receive)
        if len(receiver.deliveries) > len(times):
            times.append((partner.clock.now() - started).total_seconds())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps[:4] == [5, 10, 20, 40]
    assert gaps == sorted(gaps)
    assert 6.5 * 86400 < times[-1] < 7 * 86400
    assert {delivery.body for delivery in receiver.deliveries} == {receiver.deliveries[0].body}
    counts = (await partner.oracle("GET", "webhooks"))["counts"]
    assert counts == {"attempts": len(times), "dropped": 1}


async def test_recovered_receiver_gets_missed_webhook() -> None:
    partner, receiver = await subscribed_partner(webhook_retries="36h")
    receiver.status = None
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    receiver.collect()
    receiver.status = 200
    assert len(receiver.collect(6)) == 1
    assert receiver.deliveries[0].body == receiver.deliveries[1].body
    assert receiver.collect(60) == []


async def test_updates_can_be_batched() -> None:
    partner, receiver = await subscribed_partner("on_cloud", "on_cloud", webhook_batch_s=10)
    for index in (0, 1):
        partner.selected = index
        for consumer in ("4915111111111", "4915122222222"):
            await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": consumer})
    partner.clock.advance(seconds=10)
    [webhook] = receiver.collect()
    [entry] = webhook["entry"]
    assert len(entry["changes"]) == 4
    assert receiver.deliveries[0].updates == 4


async def test_updates_can_be_late_duplicated_and_reordered() -> None:
    partner, receiver = await subscribed_partner(webhook_delay_s=60, webhook_jitter_s=30, webhook_duplicates=1)
    for _ in range(6):
        await partner.phone("POST", "messages", json=TEMPLATE)
    assert receiver.collect(60) == []
    statuses = message_statuses(receiver.collect(60))
    assert sorted(statuses) == sorted(["sent", "delivered", "read"] * 12)
    assert statuses.index("delivered") < len(statuses) - 1 - statuses[::-1].index("sent")


async def test_same_calls_give_same_webhooks() -> None:
    bodies = []
    for _ in range(2):
        partner, receiver = await subscribed_partner(webhook_jitter_s=30, webhook_duplicates=0.5)
        for _ in range(5):
            await partner.phone("POST", "messages", json=TEMPLATE)
        receiver.collect(90)
        bodies.append([delivery.body for delivery in receiver.deliveries])
    assert bodies[0] == bodies[1]


async def test_webhooks_of_a_number_do_not_depend_on_others() -> None:
    bodies = []
    for others in (0, 3):
        partner, receiver = await subscribed_partner(
            "on_cloud", "on_cloud", webhook_jitter_s=30, webhook_duplicates=0.5
        )
        for _ in range(4):
            partner.selected = 1
            for _ in range(others):
                await partner.phone("POST", "messages", json=TEMPLATE)
            partner.selected = 0
            await partner.phone("POST", "messages", json=TEMPLATE)
        own_id = f'"phone_number_id":"{partner.row["phone_number_id"]}"'.encode()
        receiver.collect(90)
        bodies.append([delivery.body for delivery in receiver.deliveries if own_id in delivery.body])
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) > 12


# -- On-Premises


async def onprem_partner_with_webhook(**switches: Any) -> tuple[Partner, Receiver]:
    partner = Partner.of("healthy", **switches)
    await partner.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    return partner, Receiver(partner)


async def test_onprem_webhook_has_own_envelope_and_no_signature() -> None:
    partner, receiver = await onprem_partner_with_webhook()
    await partner.oracle("POST", "inbound", json={"e164": partner.e164, "from": CONSUMER, "text": "hi"})
    [webhook] = receiver.collect()
    assert set(webhook) == {"contacts", "messages"}
    assert webhook["messages"][0]["from"] == CONSUMER
    assert set(receiver.deliveries[0].headers) == {"content-type"}
    response = await partner.onprem("POST", "messages", json={"to": CONSUMER, "type": "text", "text": {"body": "x"}})
    statuses = [row for webhook in receiver.collect(30) for row in webhook["statuses"]]
    assert [row["status"] for row in statuses] == ["delivered", "read"], "`sent` is off by default"
    assert {row["id"] for row in statuses} == {response.json()["messages"][0]["id"]}
    await partner.onprem("PATCH", "settings/application", json={"sent_status": True})
    await partner.onprem("POST", "messages", json={"to": CONSUMER, "type": "text", "text": {"body": "x"}})
    assert next(row["status"] for webhook in receiver.collect(30) for row in webhook["statuses"]) == "sent"


async def test_callback_queue_holds_undelivered_callbacks() -> None:
    partner, receiver = await onprem_partner_with_webhook()
    receiver.status = 500
    for _ in range(3):
        await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    receiver.collect(10)
    assert await partner.callback_queue_size() == 3
    receiver.status = 200
    receiver.collect(30)
    assert await partner.callback_queue_size() == 0


@pytest.mark.parametrize(("switch", "expected"), [("lost", 0), ("delivered", 1)])
async def test_queued_callbacks_after_move_by_switch(switch: str, expected: int) -> None:
    partner, receiver = await onprem_partner_with_webhook(callbacks_after_move=switch)
    receiver.status = 500
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    receiver.collect()
    await partner.register(backup=await partner.backup())
    receiver.status = 200
    assert len(receiver.collect(60)) == expected


async def test_stopped_client_resumes_callbacks_when_started() -> None:
    partner, receiver = await onprem_partner_with_webhook()
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    partner.sandbox.stop_instance(partner.row["instance"])
    assert receiver.collect(10) == []
    partner.sandbox.start_instance(partner.row["instance"])
    assert len(receiver.collect(30)) == 1


async def test_inbound_goes_to_current_side() -> None:
    partner, receiver = await onprem_partner_with_webhook()
    await set_callback_url(partner, APP_URL)
    await partner.waba("POST", "subscribed_apps")
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    receiver.collect()
    await partner.phone("POST", "request_code", json=CODE_REQUEST)
    await partner.register(backup=await partner.backup())
    await partner.oracle("POST", "inbound", json={"e164": partner.e164})
    receiver.collect()
    assert [delivery.url for delivery in receiver.deliveries] == ["https://old.partner.net/hook", APP_URL]
