"""What shows that a webhook comes from Meta, and how Meta learns that an address is ours. Both in constant time.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/create-webhook-endpoint
"""

import hmac
import re
from collections.abc import Mapping

from pydantic import SecretStr

_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def is_signed(body: bytes, header: str, app_secret: SecretStr) -> bool:
    """`header`: X-Hub-Signature-256, `sha256=` and the HMAC-SHA256 of the raw body in hexadecimal."""
    expected = f"sha256={hmac.digest(app_secret.get_secret_value().encode(), body, 'sha256').hex()}"
    return hmac.compare_digest(expected.encode(), header.strip().lower().encode("utf-8", "replace"))


def challenge_of(query: Mapping[str, str], verify_token: SecretStr) -> str | None:
    """What Meta's GET expects as the answer; None where it is no handshake of somebody who knows the token."""
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    right = hmac.compare_digest(verify_token.get_secret_value().encode(), given)
    challenge = query.get("hub.challenge", "")
    whole = query.get("hub.mode") == "subscribe" and _CHALLENGE.fullmatch(challenge) is not None
    return challenge if right and whole else None
