"""The settings of an On-Premises client that change what its number does, and what Cloud does in their place.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/app
"""

from collections.abc import Iterator, Mapping
from typing import Any

ALL_STATUSES = "Cloud sends every status to the webhook; nothing switches one off"
NO_HOST = "it concerns a client of one's own; Cloud has none"
IN_PLACE_OF: Mapping[str, str] = {
    "callback_persist": "Meta keeps what a webhook did not take, for days",
    "callback_backoff_delay_ms": "Meta chooses the gaps of its retries",
    "max_callback_backoff_delay_ms": "Meta chooses the gaps of its retries",
    "media.auto_download": "media is fetched by its id with the token, when it is wanted",
    "pass_through": NO_HOST,
    "sent_status": ALL_STATUSES,
    "webhooks.message.sent": ALL_STATUSES,
    "webhooks.message.delivered": ALL_STATUSES,
    "webhooks.message.read": ALL_STATUSES,
    "webhooks.max_concurrent_requests": "Meta decides how many webhooks it sends at once",
    "on_call_pager": "Meta alerts by the webhook `account_alerts`",
    "show_security_notifications": "`enable_identity_key_check` of the number's settings takes its place",
    "notify_user_change_number": "Cloud sends a system message to the webhook",
}


def settings_lines(settings: Mapping[str, Any], verdict: Any) -> Iterator[tuple[str, Any, Any, Any, str]]:
    """What, verdict, before, after and why of each line, for every setting that was read."""
    for name, value in sorted(settings.items()):
        yield f"client setting {name}", verdict, value, None, IN_PLACE_OF.get(name, NO_HOST)
