"""Webhooks about messages: inbound messages and the statuses of sent ones, for Cloud and for On-Premises.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
On-Premises: https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
"""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import GRAPH, ONPREM
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.webhook_addresses import put, put_for_client
from sandbox.world.world import World

# Seconds after a message is accepted; ours. A failure comes as late as the first status would.
SENT_S, DELIVERED_S, READ_S = 0.5, 1.5, 20.0
ONPREM_ERRORS = "https://developers.facebook.com/docs/whatsapp/on-premises/errors"

# Countries of consumers by the prefix of their number; all others are from the United States.
COUNTRIES: Mapping[str, str] = {"55": "BR", "49": "DE", "44": "GB", "91": "IN", "52": "MX", "34": "ES"}

# -- messages on Cloud


def metadata(number: SimNumber) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id},
    }


def inbound_on_cloud(world: World, number: SimNumber, consumer: str, message_id: str, text: str, at: datetime) -> None:
    value = metadata(number) | inbound(consumer, message_id, text, at)
    scoped_id = user_id(world, number, consumer)
    value["contacts"][0]["user_id"] = value["messages"][0]["from_user_id"] = scoped_id
    put(world, number, "messages", value, at, about=message_id)


def _contact(consumer: str) -> dict[str, Any]:
    return {"profile": {"name": f"Consumer {consumer[-4:]}"}, "wa_id": consumer}


def user_id(world: World, number: SimNumber, consumer: str) -> str:
    """The id of a consumer for one business: country and up to 128 letters and digits, in webhooks since 2026.

    https://docs.360dialog.com/docs/resources/phone-numbers/usernames-and-bsuid (`user_id`)
    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
    """
    country = next((code for prefix, code in COUNTRIES.items() if consumer.startswith(prefix)), "US")
    chance = random.Random(f"{world.seed}:user:{world.wabas[number.waba_id].business_id}:{consumer}")
    return f"{country}.{chance.randrange(10**15, 10**16)}"


def inbound(consumer: str, message_id: str, text: str, at: datetime) -> dict[str, Any]:
    """The part of an inbound message that is the same for Cloud and On-Premises."""
    return {
        "contacts": [_contact(consumer)],
        "messages": [
            {
                "from": consumer,
                "id": message_id,
                "timestamp": str(int(at.timestamp())),
                "type": "text",
                "text": {"body": text},
            }
        ],
    }


def statuses_on_cloud(
    world: World, number: SimNumber, to: str, message_id: str, at: datetime, opaque: Any, failed: int | None = None
) -> None:
    """Puts `sent`, `delivered` and, if consumers read, `read`; or only `failed`."""
    for status, when in _statuses(world, at, failed):
        row: dict[str, Any] = {
            "id": message_id,
            "status": status,
            "timestamp": str(int(when.timestamp())),
            "recipient_id": to,
            "recipient_user_id": user_id(world, number, to),
        }
        if opaque is not None:
            row["biz_opaque_callback_data"] = str(opaque)
        if failed is not None:
            row["errors"] = [error(failed)]
        else:
            row["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
        value = metadata(number) | {
            "contacts": [_contact(to) | {"user_id": row["recipient_user_id"]}],
            "statuses": [row],
        }
        put(world, number, "messages", value, when, about=f"{message_id}:{status}")


def _statuses(world: World, at: datetime, failed: int | None) -> Iterator[tuple[str, datetime]]:
    if failed is not None:
        yield "failed", at + timedelta(seconds=SENT_S)
        return
    yield "sent", at + timedelta(seconds=SENT_S)
    yield "delivered", at + timedelta(seconds=DELIVERED_S)
    if world.switches.consumers_read == "yes":
        yield "read", at + timedelta(seconds=READ_S)


def error(code: int) -> dict[str, Any]:
    page = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"
    title = GRAPH.get(code, (0, "Error"))[1]
    return {"code": code, "title": title, "message": title, "error_data": {"details": title}, "href": page}


def inbound_on_premises(
    world: World, instance: Instance, consumer: str, message_id: str, text: str, at: datetime
) -> bool:
    return put_for_client(world, instance, inbound(consumer, message_id, text, at), at, message_id)


def statuses_on_premises(
    world: World, instance: Instance, to: str, message_id: str, at: datetime, failed: int | None = None
) -> None:
    """Puts the statuses that the client's settings ask for; `failed` always."""
    settings = instance.effective_settings()
    requested = settings["webhooks"].get("message", {})
    for status, when in _statuses(world, at, failed):
        if not (status == "failed" or requested.get(status) or (status == "sent" and settings["sent_status"])):
            continue
        row: dict[str, Any] = {
            "id": message_id,
            "recipient_id": to,
            "status": status,
            "timestamp": str(int(when.timestamp())),
            "type": "message",
        }
        if failed is not None:
            title = ONPREM.get(failed, (0, "Error"))[1]
            row["errors"] = [{"code": failed, "title": title, "href": ONPREM_ERRORS}]
        put_for_client(world, instance, {"statuses": [row]}, when, f"{message_id}:{status}")
