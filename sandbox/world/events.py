"""What the world tells a partner: messages, their statuses and what becomes of an account, each to who listens.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override (phone, then WABA, then app)
On-Premises: https://developers.facebook.com/docs/whatsapp/on-premises/webhooks
"""

import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sandbox.errors import GRAPH, ONPREM
from sandbox.world.accounts import Waba
from sandbox.world.instance import Instance
from sandbox.world.number import SimNumber
from sandbox.world.webhooks import Address, Update
from sandbox.world.world import World

# Seconds after a message is taken; ours. A failure comes as late as the first status would.
SENT_S, DELIVERED_S, READ_S = 0.5, 1.5, 20.0
# Only these follow an override; the rest goes to the app's own address (the page of overrides).
OVERRIDABLE = "messages"
ONPREM_ERRORS = "https://developers.facebook.com/docs/whatsapp/on-premises/errors"

# Of the consumers that a fleet's numbers usually write to; everybody else is from the United States.
COUNTRIES: Mapping[str, str] = {"55": "BR", "49": "DE", "44": "GB", "91": "IN", "52": "MX", "34": "ES"}

# -- who listens


def addresses(world: World, waba: Waba, field: str, number: SimNumber | None = None) -> Iterator[Address]:
    """The subscribed apps' addresses for this field. Nothing goes to an app that is not subscribed."""
    for subscription in waba.subscriptions.values():
        app = world.apps[subscription.app_id]
        if app.fields and field not in app.fields:
            continue
        url = app.callback_url
        if field == OVERRIDABLE:
            url = subscription.override or url
            if number is not None:
                url = number.webhooks.get(app.id, url)
        if url:
            yield Address(url, secret=app.secret)


def _client_address(instance: Instance) -> Address | None:
    """On-Premises has one address a client, in its settings."""
    settings = instance.in_effect()
    url = settings["webhooks"].get("url")
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return None
    first, longest = settings["callback_backoff_delay_ms"], settings["max_callback_backoff_delay_ms"]
    return Address(url, None, instance.queue, _seconds(first, 3.0), _seconds(longest, 900.0))


def _seconds(milliseconds: Any, otherwise: float) -> float:
    """Text or number: both are taken."""
    try:
        return max(0.001, float(milliseconds) / 1000)
    except (TypeError, ValueError):
        return otherwise


def _tell(
    world: World, number: SimNumber, field: str, value: Mapping[str, Any], at: datetime, *, about: str | None = None
) -> None:
    """`about`: the message or status it is; None for what happens to an account, which carries its time."""
    waba = world.wabas[number.waba_id]
    time = int(at.timestamp()) if about is None else None
    if about is None:
        number.notices += 1
        about = f"{field}:{number.notices}"
    everybody = tuple(addresses(world, waba, field, number))
    for address in everybody:
        change = {"value": dict(value), "field": field}
        world.outbox.put(Update(address, waba.id, change, f"{number.e164}:{about}", time, everybody), at)


# -- messages on Cloud


def _metadata(number: SimNumber) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": number.digits, "phone_number_id": number.phone_number_id},
    }


def inbound_on_cloud(world: World, number: SimNumber, consumer: str, message_id: str, text: str, at: datetime) -> None:
    value = _metadata(number) | _inbound(consumer, message_id, text, at)
    who = user_id(world, number, consumer)
    value["contacts"][0]["user_id"] = value["messages"][0]["from_user_id"] = who
    _tell(world, number, "messages", value, at, about=message_id)


def _contact(consumer: str) -> dict[str, Any]:
    return {"profile": {"name": f"Consumer {consumer[-4:]}"}, "wa_id": consumer}


def user_id(world: World, number: SimNumber, consumer: str) -> str:
    """A consumer as one business sees them: their country and up to 128 letters and digits, in webhooks since 2026.

    https://docs.360dialog.com/docs/resources/phone-numbers/usernames-and-bsuid (`user_id`)
    https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids
    """
    country = next((code for prefix, code in COUNTRIES.items() if consumer.startswith(prefix)), "US")
    drawn = random.Random(f"{world.seed}:user:{world.wabas[number.waba_id].business_id}:{consumer}")
    return f"{country}.{drawn.randrange(10**15, 10**16)}"


def _inbound(consumer: str, message_id: str, text: str, at: datetime) -> dict[str, Any]:
    """The same in both envelopes."""
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
    """`sent`, `delivered` and, where the consumer reads, `read`; or `failed` alone."""
    for status, when in _course(world, at, failed):
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
            row["errors"] = [_error(failed)]
        else:
            row["pricing"] = {"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"}
        value = _metadata(number) | {
            "contacts": [_contact(to) | {"user_id": row["recipient_user_id"]}],
            "statuses": [row],
        }
        _tell(world, number, "messages", value, when, about=f"{message_id}:{status}")


def _course(world: World, at: datetime, failed: int | None) -> Iterator[tuple[str, datetime]]:
    if failed is not None:
        yield "failed", at + timedelta(seconds=SENT_S)
        return
    yield "sent", at + timedelta(seconds=SENT_S)
    yield "delivered", at + timedelta(seconds=DELIVERED_S)
    if world.switches.consumers_read == "yes":
        yield "read", at + timedelta(seconds=READ_S)


def _error(code: int) -> dict[str, Any]:
    page = "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"
    title = GRAPH.get(code, (0, "Error"))[1]
    return {"code": code, "title": title, "message": title, "error_data": {"details": title}, "href": page}


# -- messages on On-Premises


def listens(instance: Instance) -> bool:
    """Whether the client has somewhere to send what happens."""
    return _client_address(instance) is not None


def on_premises(world: World, instance: Instance, change: Mapping[str, Any], at: datetime, about: str) -> bool:
    """Whether the client has somewhere to send it."""
    address = _client_address(instance)
    if address is None:
        return False
    world.outbox.put(Update(address, "", change, f"{instance.id}:{about}"), at)
    return True


def inbound_on_premises(
    world: World, instance: Instance, consumer: str, message_id: str, text: str, at: datetime
) -> bool:
    return on_premises(world, instance, _inbound(consumer, message_id, text, at), at, message_id)


def statuses_on_premises(
    world: World, instance: Instance, to: str, message_id: str, at: datetime, failed: int | None = None
) -> None:
    """Those that the client's settings ask for; `failed` is always told."""
    settings = instance.in_effect()
    wanted = settings["webhooks"].get("message", {})
    for status, when in _course(world, at, failed):
        if not (status == "failed" or wanted.get(status) or (status == "sent" and settings["sent_status"])):
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
        on_premises(world, instance, {"statuses": [row]}, when, f"{message_id}:{status}")


# -- accounts; all of these carry the time in their entry


def security(world: World, number: SimNumber, event: str, requester: str | None = None) -> None:
    """`PIN_CHANGED`, `PIN_RESET_REQUEST`, `PIN_REQUEST_SUCCESS`; only for what is done in WhatsApp Manager.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/security
    """
    value = {"display_phone_number": number.digits, "event": event}
    value |= {"requester": requester} if requester is not None else {}
    _tell(world, number, "security", value, world.now())


def throughput_upgraded(world: World, number: SimNumber, at: datetime) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput"""
    value = {
        "display_phone_number": number.digits,
        "event": "THROUGHPUT_UPGRADE",
        "current_limit": "TIER_UNLIMITED",
        "max_daily_conversations_per_business": "TIER_UNLIMITED",
    }
    _tell(world, number, "phone_number_quality_update", value, at)


def name_decided(world: World, number: SimNumber, decision: str, name: str, reason: str = "NONE") -> None:
    """`APPROVED`, `REJECTED`: https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names"""
    value = {
        "display_phone_number": number.digits,
        "decision": decision,
        "requested_verified_name": name,
        "rejection_reason": reason,
    }
    _tell(world, number, "phone_number_name_update", value, world.now())


def account_updated(world: World, number: SimNumber, event: str, **more: Any) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update"""
    waba = world.wabas[number.waba_id]
    info = {"waba_id": waba.id, "owner_business_id": waba.business_id}
    value = {"event": event, "phone_number": number.digits, "waba_info": info, **more}
    _tell(world, number, "account_update", value, world.now())


def picture_lost(world: World, number: SimNumber, at: datetime) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_alerts"""
    alert = {
        "alert_severity": "WARNING",
        "alert_status": "ACTIVE",
        "alert_type": "PROFILE_PICTURE_LOST",
        "alert_description": "The profile picture of the phone number is gone.",
    }
    value = {"entity_type": "PHONE_NUMBER", "entity_id": number.phone_number_id, "alert_info": alert}
    _tell(world, number, "account_alerts", value, at)
