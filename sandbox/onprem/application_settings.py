"""Application settings of an On-Premises client, and what each of them takes.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/app
"""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sandbox.errors import OnPremRefusal
from sandbox.onprem import deployments
from sandbox.onprem.call import Visit
from sandbox.world.instance import merged

MEDIA = ("image", "video", "voice", "sticker", "audio", "document")
DELAYS = ("callback_backoff_delay_ms", "max_callback_backoff_delay_ms")
Takes = Callable[[Any], bool]


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    """Numbers, also as text: both are seen in the wild."""
    if isinstance(value, str):
        return len(value) <= 9 and value.isascii() and value.isdecimal()
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _media(value: Any) -> bool:
    return isinstance(value, list) and all(one in MEDIA for one in value)


def _address(value: Any) -> bool:
    """Only https; http on this machine, so that a rehearsal needs no certificate. Empty: none."""
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


# A mapping in here is one of settings: `webhooks.message.sent`.
Rules = Mapping[str, "Takes | Rules"]
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
    "tcp_listen_address": _text,  # old: https://pypi.org/project/wabclient/ still sends it
    "axolotl_context_striping_disabled": _flag,
    "notify_user_change_number": _flag,
    "show_security_notifications": _flag,
    "db_garbagecollector_enable": _flag,
    "garbagecollector_enable": {"media": _flag, "messages": _flag},
    "verbose_logging": _flag,
    "log_level": _text,
    "webhook_payload_conversation_pricingmodel_disabled": _flag,
}


def check(told: Mapping[str, Any], rules: Rules = SETTINGS, before: str = "") -> None:
    """Raises 1010 for a setting that does not exist, 1009 for a value that one does not take."""
    for name, value in told.items():
        rule = rules.get(name)
        if rule is None:
            raise OnPremRefusal(1010, f"Parameter '{before}{name}' is not known")
        if isinstance(rule, Mapping):
            if not isinstance(value, Mapping):
                raise OnPremRefusal(1009, f"Parameter '{before}{name}' is not an object")
            check(value, rule, f"{before}{name}.")
        elif not rule(value):
            raise OnPremRefusal(1009, f"Parameter '{before}{name}' has a value that it does not take")


def application(visit: Visit) -> tuple[int, Any]:
    registered = deployments.says_registered(visit.world, visit.instance)
    wa_id = {"wa_id": visit.instance.e164.lstrip("+")} if registered else {}
    return 200, {"settings": {"application": visit.instance.application() | wa_id}}


def set_application(visit: Visit) -> tuple[int, Any]:
    """What is absent stays; success has no body. Some of it takes effect at the next start only (`in_effect`)."""
    check(visit.body)
    numbers = {name: int(visit.body[name]) for name in DELAYS if name in visit.body}  # read back as numbers
    visit.instance.settings = merged(visit.instance.settings, visit.body | numbers)
    return 200, None


def reset_application(visit: Visit) -> tuple[int, Any]:
    visit.instance.settings = {}
    return 200, None
