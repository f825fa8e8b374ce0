"""Webhooks: who hears of what, in which envelope, signed, and again until it is taken."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import CODE, Far, code_of

CONSUMER = "4915112345678"
APP, WABA, PHONE = (f"https://{name}.partner.net/hook" for name in ("app", "waba", "phone"))
TEXT = {"messaging_product": "whatsapp", "to": CONSUMER, "type": "text", "text": {"body": "hi"}}
TEMPLATE = {
    "messaging_product": "whatsapp",
    "to": CONSUMER,
    "type": "template",
    "template": {"name": "smoke_test", "language": {"code": "en"}},
}


@dataclass
class Receiver:
    """A partner's endpoint: answers `status`, and keeps what came."""

    far: Far
    status: int | None = 200
    token: str = "v"
    got: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.far.sandbox.verify = self.verify

    def verify(self, url: str) -> tuple[int, str]:
        asked = parse_qs(urlsplit(url).query)
        assert asked["hub.mode"] == ["subscribe"]
        return (200, asked["hub.challenge"][0]) if asked["hub.verify_token"] == [self.token] else (403, "no")

    def take(self, delivery: Delivery) -> int | None:
        self.got.append(delivery)
        return self.status

    def hear(self, seconds: float = 0) -> list[dict[str, Any]]:
        """What comes within so many seconds, as JSON."""
        before = len(self.got)
        for _ in range(max(1, round(seconds * 4))):
            self.far.clock.pass_(seconds=seconds / max(1, round(seconds * 4)))
            self.far.sandbox.deliver(self.take)
        return [json.loads(one.body) for one in self.got[before:]]


async def app_call(far: Far, url: str | None, token: str = "v", fields: str = "") -> Any:
    key = f"{far.manifest['app_id']}|{far.manifest['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": url, "verify_token": token, "fields": fields}
    return await far.client.post(f"/{far.manifest['app_id']}/subscriptions", json=body | {"access_token": key})


async def listening(*kinds: str, subscribed: bool = True, fields: str = "", **switches: Any) -> tuple[Far, Receiver]:
    """A fleet whose app has an address and is subscribed."""
    far = Far.of(*(kinds or ("on_cloud",)), **switches)
    receiver = Receiver(far)
    assert (await app_call(far, APP, fields=fields)).status_code == 200
    if subscribed:
        await far.waba("POST", "subscribed_apps")
    return far, receiver


def change(told: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    [entry] = told["entry"]
    [one] = entry["changes"]
    return one["field"], one["value"]


def seen(heard: list[dict[str, Any]]) -> list[str]:
    return [row["status"] for told in heard for row in change(told)[1].get("statuses", [])]


# -- addresses


async def test_a_new_address_has_to_verify_itself_before_it_is_taken() -> None:
    far = Far.of("on_cloud")
    receiver = Receiver(far, token="ours")
    assert code_of(await app_call(far, APP, "theirs")) == 2200
    assert far.sandbox.world.apps[far.manifest["app_id"]].callback_url is None
    assert (await app_call(far, APP, "ours")).json() == {"success": True}
    await far.waba("POST", "subscribed_apps")
    override = {"override_callback_uri": WABA, "verify_token": "theirs"}
    assert code_of(await far.waba("POST", "subscribed_apps", json=override)) == 2200
    assert await far.shows("webhook_configuration") == [{"application": APP}]
    receiver.token = "theirs"
    assert (await far.waba("POST", "subscribed_apps", json=override)).status_code == 200
    assert (await far.phone("POST", json={"webhook_configuration": override | {"override_callback_uri": PHONE}})).json()
    assert await far.shows("webhook_configuration") == [
        {"application": APP, "whatsapp_business_account": WABA, "phone_number": PHONE}
    ]
    calls = [(call.call, call.status, call.effect) for call in far.sandbox.world.calls if call.write]
    assert calls == [
        ("set_subscriptions", 400, False),
        ("set_subscriptions", 200, True),
        ("subscribe", 200, True),
        ("subscribe", 400, False),
        ("subscribe", 200, True),
        ("set_webhook", 200, True),
    ]


@pytest.mark.parametrize("url", ["http://partner.net/hook", "ftp://partner.net", "https://" + "x" * 300])
async def test_an_address_is_https_and_short(url: str) -> None:
    far, _ = await listening()
    override = {"override_callback_uri": url, "verify_token": "v"}
    assert code_of(await far.waba("POST", "subscribed_apps", json=override)) == 100


async def test_messages_follow_the_override_of_the_phone_then_of_the_waba_then_of_the_app() -> None:
    far, receiver = await listening()
    where = []

    async def hear() -> None:
        await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
        receiver.hear()
        where.append(receiver.got[-1].url)

    await hear()
    await far.waba("POST", "subscribed_apps", json={"override_callback_uri": WABA, "verify_token": "v"})
    await hear()
    override = {"override_callback_uri": PHONE, "verify_token": "v"}
    await far.phone("POST", json={"webhook_configuration": override})
    await hear()
    assert where == [APP, WABA, PHONE]
    await far.oracle("POST", "manager", json={"do": "set_pin", "e164": far.e164, "pin": "111111"})
    receiver.hear()
    assert receiver.got[-1].url == APP, "only messages follow an override"
    await far.phone("POST", json={"webhook_configuration": {"override_callback_uri": ""}})
    await far.waba("POST", "subscribed_apps")
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    receiver.hear()
    assert receiver.got[-1].url == APP


async def test_nothing_is_sent_to_an_app_that_is_not_subscribed_or_did_not_ask_for_the_field() -> None:
    far, receiver = await listening(subscribed=False)
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    assert (receiver.hear(), far.number.dropped_inbound) == ([], 1)
    far, receiver = await listening(fields="messages,account_update")
    await far.oracle("POST", "manager", json={"do": "set_pin", "e164": far.e164, "pin": "111111"})
    assert receiver.hear() == []
    await far.oracle("POST", "manager", json={"do": "ban", "e164": far.e164})
    assert change(receiver.hear()[0])[0] == "account_update"


# -- what is told


async def test_an_inbound_message_comes_signed_over_its_raw_body() -> None:
    far, receiver = await listening()
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": f"+{CONSUMER}", "text": "Grüße"})
    [told] = receiver.hear()
    field_name, value = change(told)
    assert (told["object"], told["entry"][0]["id"], field_name) == (
        "whatsapp_business_account",
        far.row["waba_id"],
        "messages",
    )
    assert value["metadata"]["phone_number_id"] == far.row["phone_number_id"]
    [message] = value["messages"]
    assert (message["from"], message["type"], message["text"]) == (CONSUMER, "text", {"body": "Grüße"})
    [delivery] = receiver.got
    assert b"\\u00fc" in delivery.body
    digest = hmac.new(far.manifest["app_secret"].encode(), delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["x-hub-signature-256"] == f"sha256={digest}"


async def test_a_template_is_sent_delivered_and_read() -> None:
    far, receiver = await listening()
    answer = await far.phone("POST", "messages", json=TEMPLATE | {"biz_opaque_callback_data": "c-7"})
    heard = receiver.hear(30)
    assert seen(heard) == ["sent", "delivered", "read"]
    for told in heard:
        [row] = change(told)[1]["statuses"]
        assert (row["id"], row["recipient_id"]) == (answer.json()["messages"][0]["id"], CONSUMER)
        assert row["biz_opaque_callback_data"] == "c-7"
    far, receiver = await listening(consumers_read="no")
    await far.phone("POST", "messages", json=TEMPLATE)
    assert seen(receiver.hear(30)) == ["sent", "delivered"]


async def test_a_text_outside_the_window_fails_later_and_one_inside_does_not() -> None:
    far, receiver = await listening()
    assert (await far.phone("POST", "messages", json=TEXT)).status_code == 200
    [told] = receiver.hear(5)
    [row] = change(told)[1]["statuses"]
    assert (row["status"], row["errors"][0]["code"]) == ("failed", 131047)
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER})
    receiver.hear()
    await far.phone("POST", "messages", json=TEXT)
    assert seen(receiver.hear(5)) == ["sent", "delivered"]


async def test_accounts_are_told_of_pins_names_throughput_and_bans() -> None:
    far, receiver = await listening()

    async def manage(what: str, **more: str) -> list[tuple[str, Any]]:
        await far.oracle("POST", "manager", json={"do": what, "e164": far.e164} | more)
        heard = receiver.hear()
        assert all(told["entry"][0]["time"] == int(far.clock.now().timestamp()) for told in heard)
        return [(name, value.get("event") or value.get("decision")) for name, value in map(change, heard)]

    assert await manage("set_pin", pin="222222") == [("security", "PIN_CHANGED")]
    assert await manage("two_step_off") == [("security", "PIN_RESET_REQUEST"), ("security", "PIN_REQUEST_SUCCESS")]
    assert await far.shows("is_pin_enabled") == [False]
    assert await manage("rename", name="Other Name") == []
    assert await manage("approve_name") == [("phone_number_name_update", "APPROVED")]
    assert await manage("upgrade_throughput") == []
    assert code_of(await far.phone("POST", "messages", json=TEMPLATE)) == 131057
    far.clock.pass_(seconds=60)
    [told] = receiver.hear()
    assert change(told)[1]["event"] == "THROUGHPUT_UPGRADE"
    assert await far.shows("throughput") == [{"level": "HIGH"}]
    assert await manage("ban") == [("account_update", "DISABLED_UPDATE")]
    assert await far.shows("status") == ["BANNED"]
    assert await manage("reinstate") == [("account_update", "DISABLED_UPDATE")]
    assert await manage("remove_partner") == [("account_update", "PARTNER_REMOVED")]
    assert code_of(await far.waba("GET", "phone_numbers")) == 200
    assert code_of(await far.phone("GET")) == 100


async def test_setting_the_pin_by_api_tells_nobody() -> None:
    far, receiver = await listening()
    await far.phone("POST", json={"pin": "333333"})
    assert receiver.hear(5) == []


async def test_a_picture_that_a_move_loses_is_told() -> None:
    far, receiver = await listening("verified")
    await far.register()
    [told] = receiver.hear()
    assert change(told)[1]["alert_info"]["alert_type"] == "PROFILE_PICTURE_LOST"


# -- how it comes


async def test_what_is_not_taken_comes_again_with_growing_gaps_for_seven_days() -> None:
    far, receiver = await listening(webhook_retries="7d")
    receiver.status = 503
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    began, at = far.clock.now(), list[float]()
    while (due := far.sandbox.world.outbox.next_due()) is not None:
        far.clock.at = max(due, far.clock.at)
        far.sandbox.deliver(receiver.take)
        if len(receiver.got) > len(at):
            at.append((far.clock.now() - began).total_seconds())
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps[:4] == [5, 10, 20, 40]
    assert gaps == sorted(gaps)
    assert 6.5 * 86400 < at[-1] < 7 * 86400
    assert {one.body for one in receiver.got} == {receiver.got[0].body}
    counts = (await far.oracle("GET", "webhooks"))["counts"]
    assert counts == {"attempts": len(at), "dropped": 1}


async def test_a_receiver_that_comes_back_gets_what_it_missed() -> None:
    far, receiver = await listening(webhook_retries="36h")
    receiver.status = None
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    receiver.hear()
    receiver.status = 200
    assert len(receiver.hear(6)) == 1
    assert receiver.got[0].body == receiver.got[1].body
    assert receiver.hear(60) == []


async def test_updates_can_come_together() -> None:
    far, receiver = await listening("on_cloud", "on_cloud", webhook_batch_s=10)
    for at in (0, 1):
        far.at = at
        for consumer in ("4915111111111", "4915122222222"):
            await far.oracle("POST", "inbound", json={"e164": far.e164, "from": consumer})
    far.clock.pass_(seconds=10)
    [told] = receiver.hear()
    [entry] = told["entry"]
    assert len(entry["changes"]) == 4
    assert receiver.got[0].updates == 4


async def test_updates_can_come_late_twice_and_out_of_order() -> None:
    far, receiver = await listening(webhook_delay_s=60, webhook_jitter_s=30, webhook_duplicates=1)
    for _ in range(6):
        await far.phone("POST", "messages", json=TEMPLATE)
    assert receiver.hear(60) == []
    statuses = seen(receiver.hear(60))
    assert sorted(statuses) == sorted(["sent", "delivered", "read"] * 12)
    assert statuses.index("delivered") < len(statuses) - 1 - statuses[::-1].index("sent")


async def test_the_same_story_is_told_the_same_way() -> None:
    bodies = []
    for _ in range(2):
        far, receiver = await listening(webhook_jitter_s=30, webhook_duplicates=0.5)
        for _ in range(5):
            await far.phone("POST", "messages", json=TEMPLATE)
        receiver.hear(90)
        bodies.append([one.body for one in receiver.got])
    assert bodies[0] == bodies[1]


async def test_what_others_do_changes_nothing_for_a_number() -> None:
    heard = []
    for others in (0, 3):
        far, receiver = await listening("on_cloud", "on_cloud", webhook_jitter_s=30, webhook_duplicates=0.5)
        for _ in range(4):
            far.at = 1
            for _ in range(others):
                await far.phone("POST", "messages", json=TEMPLATE)
            far.at = 0
            await far.phone("POST", "messages", json=TEMPLATE)
        ours = f'"phone_number_id":"{far.row["phone_number_id"]}"'.encode()
        receiver.hear(90)
        heard.append([one.body for one in receiver.got if ours in one.body])
    assert heard[0] == heard[1]
    assert len(heard[0]) > 12


# -- On-Premises


async def onprem_listening(**switches: Any) -> tuple[Far, Receiver]:
    far = Far.of("healthy", **switches)
    await far.onprem("PATCH", "settings/application", json={"webhooks": {"url": "https://old.partner.net/hook"}})
    return far, Receiver(far)


async def test_on_premises_has_its_own_envelope_and_no_signature() -> None:
    far, receiver = await onprem_listening()
    await far.oracle("POST", "inbound", json={"e164": far.e164, "from": CONSUMER, "text": "hi"})
    [told] = receiver.hear()
    assert set(told) == {"contacts", "messages"}
    assert told["messages"][0]["from"] == CONSUMER
    assert set(receiver.got[0].headers) == {"content-type"}
    answer = await far.onprem("POST", "messages", json={"to": CONSUMER, "type": "text", "text": {"body": "x"}})
    heard = [row for told in receiver.hear(30) for row in told["statuses"]]
    assert [row["status"] for row in heard] == ["delivered", "read"], "sent is off where nobody switched it on"
    assert {row["id"] for row in heard} == {answer.json()["messages"][0]["id"]}
    await far.onprem("PATCH", "settings/application", json={"sent_status": True})
    await far.onprem("POST", "messages", json={"to": CONSUMER, "type": "text", "text": {"body": "x"}})
    assert next(row["status"] for told in receiver.hear(30) for row in told["statuses"]) == "sent"


async def test_the_callback_queue_is_what_the_partner_has_not_taken() -> None:
    far, receiver = await onprem_listening()

    async def queue() -> int:
        stats = (await far.onprem("GET", "stats/app")).json()["stats"]["app"]
        return int(stats["callback_queue_size"]["data"][0]["value"])

    receiver.status = 500
    for _ in range(3):
        await far.oracle("POST", "inbound", json={"e164": far.e164})
    receiver.hear(10)
    assert await queue() == 3
    receiver.status = 200
    receiver.hear(30)
    assert await queue() == 0


@pytest.mark.parametrize(("switch", "expected"), [("lost", 0), ("delivered", 1)])
async def test_what_was_queued_when_the_number_moved_is_a_switch(switch: str, expected: int) -> None:
    far, receiver = await onprem_listening(callbacks_after_move=switch)
    receiver.status = 500
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    receiver.hear()
    await far.register(backup=await far.backup())
    receiver.status = 200
    assert len(receiver.hear(60)) == expected


async def test_a_stopped_client_posts_nothing_and_goes_on_when_it_is_started() -> None:
    far, receiver = await onprem_listening()
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    far.sandbox.stop_instance(far.row["instance"])
    assert receiver.hear(10) == []
    far.sandbox.start_instance(far.row["instance"])
    assert len(receiver.hear(30)) == 1


async def test_a_move_with_webhooks_tells_the_right_side_each_time() -> None:
    far, receiver = await onprem_listening()
    await app_call(far, APP)
    await far.waba("POST", "subscribed_apps")
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    receiver.hear()
    await far.phone("POST", "request_code", json=CODE)
    await far.register(backup=await far.backup())
    await far.oracle("POST", "inbound", json={"e164": far.e164})
    receiver.hear()
    assert [one.url for one in receiver.got] == ["https://old.partner.net/hook", APP]
