"""Application settings of an On-Premises client, and the values that each of them accepts.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/app
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.errors import OnPremRefusal
from sandbox.onprem import deployments
from sandbox.onprem.call import OnPremCall
from sandbox.world.instance import merged

MEDIA = ("image", "video", "voice", "sticker", "audio", "document")
DELAYS = ("callback_backoff_delay_ms", "max_callback_backoff_delay_ms")
Rule = Callable[[Any], bool]


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    """A number, also as text: both were seen in the field."""
    if isinstance(value, str):
        return len(value) <= 9 and value.isascii() and value.isdecimal()
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _media(value: Any) -> bool:
    return isinstance(value, list) and all(kind in MEDIA for kind in value)


def _address(value: Any) -> bool:
    """https; http only on this machine, so that a rehearsal needs no certificate. Empty text: no address."""
    if value == "":
        return True
    try:
        url = urlsplit(value) if isinstance(value, str) else None
        host = url.hostname if url is not None else None
    except ValueError:
        return False
    return url is not None and bool(host) and (url.scheme == "https" or (url.scheme == "http" and _loopback(str(host))))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _concurrent(value: Any) -> bool:
    return not isinstance(value, bool) and value in (6, 12, 18, 24)


# A mapping inside is a group of settings: `webhooks.message.sent`.
Rules = Mapping[str, "Rule | Rules"]
SETTINGS: Rules = {
    "callback_persist": _flag,
    "callback_backoff_delay_ms": _whole,
    "max_callback_backoff_delay_ms": _whole,
    "media": {"auto_download": _media},
    "pass_through": _flag,
    "sent_status": _flag,
    "webhooks": {
        "url": _address,
        "max_concurrent_requests": _concurrent,
        "message": {"sent": _flag, "delivered": _flag, "read": _flag},
    },
    "heartbeat_interval": _whole,
    "unhealthy_interval": _whole,
    "on_call_pager": _text,
    "tcp_listen_address": _text,  # an old setting that https://pypi.org/project/wabclient/ still sends
    "axolotl_context_striping_disabled": _flag,
    "notify_user_change_number": _flag,
    "show_security_notifications": _flag,
    "db_garbagecollector_enable": _flag,
    "garbagecollector_enable": {"media": _flag, "messages": _flag},
    "verbose_logging": _flag,
    "log_level": _text,
    "webhook_payload_conversation_pricingmodel_disabled": _flag,
}


def check(settings: Mapping[str, Any], rules: Rules = SETTINGS, prefix: str = "") -> None:
    """Raises 1010 for a setting that does not exist, 1009 for a value that it does not accept."""
    for name, value in settings.items():
        rule = rules.get(name)
        if rule is None:
            raise OnPremRefusal(1010, f"Parameter '{prefix}{name}' is not known")
        if isinstance(rule, Mapping):
            if not isinstance(value, Mapping):
                raise OnPremRefusal(1009, f"Parameter '{prefix}{name}' is not an object")
            check(value, rule, f"{prefix}{name}.")
        elif not rule(value):
            raise OnPremRefusal(1009, f"Parameter '{prefix}{name}' has a value that it does not take")


def application(call: OnPremCall) -> tuple[int, Any]:
    registered = deployments.shows_registered(call.world, call.instance)
    wa_id = {"wa_id": call.instance.e164.lstrip("+")} if registered else {}
    return 200, {"settings": {"application": call.instance.application_settings() | wa_id}}


def set_application(call: OnPremCall) -> tuple[int, Any]:
    """Settings that the body does not name stay. The response has no body.

    Some settings take effect at the next start of the client only (`Instance.effective_settings`).
    """
    check(call.body)
    numbers = {name: int(call.body[name]) for name in DELAYS if name in call.body}  # a read gives numbers
    call.instance.settings = merged(call.instance.settings, call.body | numbers)
    return 200, None


def reset_application(call: OnPremCall) -> tuple[int, Any]:
    call.instance.settings = {}
    return 200, None
