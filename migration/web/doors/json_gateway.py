"""The generic form: JSON with `to` and `text`, signed by HMAC-SHA256 over the time and the body.

    X-Cutover-Timestamp: 1767225600
    X-Cutover-Signature: sha256=<hexadecimal HMAC-SHA256 of "1767225600." and the body>

The time may be five minutes off. Whatever forwards an SMS and can compute an HMAC can speak it.
"""

import hmac
import json
import re
from typing import Any

from pydantic import SecretStr

from migration.web.doors.gateway_message import GatewayMessage, Post, not_signed, plain, unreadable

MAY_BE_OFF_S = 300
_SECONDS = re.compile(r"[0-9]{1,12}")


def read_json_post(post: Post, secret: SecretStr) -> GatewayMessage:
    """Raises Refused."""
    given, at = post.headers.get("x-cutover-signature", ""), post.headers.get("x-cutover-timestamp", "")
    signed = at.encode() + b"." + post.body
    expected = f"sha256={hmac.digest(secret.get_secret_value().encode(), signed, 'sha256').hex()}"
    if _SECONDS.fullmatch(at) is None or not hmac.compare_digest(expected.encode(), given.strip().lower().encode()):
        raise not_signed()
    if abs(post.now - int(at)) > MAY_BE_OFF_S:
        raise unreadable("its time is more than five minutes off: it is a copy of an older one, or a clock is wrong")
    to, text = _fields(post.body)
    return GatewayMessage(to, SecretStr(plain(text)), expected)


def _fields(body: bytes) -> tuple[str, str]:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise unreadable("the body is not JSON") from None
    to, text = (value.get("to"), value.get("text")) if isinstance(value, dict) else (None, None)
    if not isinstance(to, str) or not isinstance(text, str):
        raise unreadable('give {"to": "the number that received it", "text": "..."}, both as texts')
    return to, text
