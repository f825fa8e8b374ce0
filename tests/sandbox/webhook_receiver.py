"""A partner's webhook endpoint in this process, and the calls that set its address."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.world.webhooks import Delivery
from tests.sandbox.partner import Partner

CONSUMER = "4915112345678"
APP_URL, WABA_URL, PHONE_URL = (f"https://{name}.partner.net/hook" for name in ("app", "waba", "phone"))
TEXT = {"messaging_product": "whatsapp", "to": CONSUMER, "type": "text", "text": {"body": "hi"}}
TEMPLATE = {
    "messaging_product": "whatsapp",
    "to": CONSUMER,
    "type": "template",
    "template": {"name": "smoke_test", "language": {"code": "en"}},
}


@dataclass
class Receiver:
    """A partner's endpoint: answers `status` (None: no answer) and records the deliveries."""

    partner: Partner
    status: int | None = 200
    verify_token: str = "v"
    deliveries: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.partner.sandbox.read_handshake = self.verify

    def verify(self, url: str) -> tuple[int, str]:
        query = parse_qs(urlsplit(url).query)
        assert query["hub.mode"] == ["subscribe"]
        return (200, query["hub.challenge"][0]) if query["hub.verify_token"] == [self.verify_token] else (403, "no")

    def receive(self, delivery: Delivery) -> int | None:
        self.deliveries.append(delivery)
        return self.status

    def collect(self, seconds: float = 0) -> list[dict[str, Any]]:
        """The JSON of the deliveries of the next `seconds`, in steps of a quarter of a second."""
        before = len(self.deliveries)
        for _ in range(max(1, round(seconds * 4))):
            self.partner.clock.advance(seconds=seconds / max(1, round(seconds * 4)))
            self.partner.sandbox.deliver(self.receive)
        return [json.loads(delivery.body) for delivery in self.deliveries[before:]]


async def set_callback_url(partner: Partner, url: str | None, token: str = "v", fields: str = "") -> Any:
    key = f"{partner.manifest['app_id']}|{partner.manifest['app_secret']}"
    body = {"object": "whatsapp_business_account", "callback_url": url, "verify_token": token, "fields": fields}
    return await partner.client.post(f"/{partner.manifest['app_id']}/subscriptions", json=body | {"access_token": key})


async def subscribed_partner(
    *kinds: str, subscribed: bool = True, fields: str = "", **switches: Any
) -> tuple[Partner, Receiver]:
    """A fleet whose app has an address and is subscribed."""
    partner = Partner.of(*(kinds or ("on_cloud",)), **switches)
    receiver = Receiver(partner)
    assert (await set_callback_url(partner, APP_URL, fields=fields)).status_code == 200
    if subscribed:
        await partner.waba("POST", "subscribed_apps")
    return partner, receiver


def change_of(webhook: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    [entry] = webhook["entry"]
    [entry_change] = entry["changes"]
    return entry_change["field"], entry_change["value"]


def message_statuses(webhooks: list[dict[str, Any]]) -> list[str]:
    return [row["status"] for webhook in webhooks for row in change_of(webhook)[1].get("statuses", [])]
