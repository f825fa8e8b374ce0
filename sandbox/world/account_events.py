"""Webhooks about an account. The entries of all of these have a time."""

from datetime import datetime
from typing import Any

from sandbox.world.number import SimNumber
from sandbox.world.webhook_addresses import put
from sandbox.world.world import World


def security(world: World, number: SimNumber, event: str, requester: str | None = None) -> None:
    """`PIN_CHANGED`, `PIN_RESET_REQUEST`, `PIN_REQUEST_SUCCESS`; only for changes made in WhatsApp Manager.

    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/security
    """
    value = {"display_phone_number": number.digits, "event": event}
    value |= {"requester": requester} if requester is not None else {}
    put(world, number, "security", value, world.now())


def throughput_upgraded(world: World, number: SimNumber, at: datetime) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/throughput"""
    value = {
        "display_phone_number": number.digits,
        "event": "THROUGHPUT_UPGRADE",
        "current_limit": "TIER_UNLIMITED",
        "max_daily_conversations_per_business": "TIER_UNLIMITED",
    }
    put(world, number, "phone_number_quality_update", value, at)


def name_decided(world: World, number: SimNumber, decision: str, name: str, reason: str = "NONE") -> None:
    """`APPROVED`, `REJECTED`: https://developers.facebook.com/documentation/business-messaging/whatsapp/display-names"""
    value = {
        "display_phone_number": number.digits,
        "decision": decision,
        "requested_verified_name": name,
        "rejection_reason": reason,
    }
    put(world, number, "phone_number_name_update", value, world.now())


def account_updated(world: World, number: SimNumber, event: str, **more: Any) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_update"""
    waba = world.wabas[number.waba_id]
    info = {"waba_id": waba.id, "owner_business_id": waba.business_id}
    value = {"event": event, "phone_number": number.digits, "waba_info": info, **more}
    put(world, number, "account_update", value, world.now())


def picture_lost(world: World, number: SimNumber, at: datetime) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/account_alerts"""
    put(world, number, "account_alerts", alert(number, "PROFILE_PICTURE_LOST"), at)


def alert(number: SimNumber, kind: str) -> dict[str, Any]:
    """The value of an alert about the number."""
    text = {"PROFILE_PICTURE_LOST": "The profile picture of the phone number is gone."}.get(
        kind, "See the support page."
    )
    info = {"alert_severity": "WARNING", "alert_status": "ACTIVE", "alert_type": kind, "alert_description": text}
    return {"entity_type": "PHONE_NUMBER", "entity_id": number.phone_number_id, "alert_info": info}
