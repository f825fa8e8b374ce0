"""Twilio: a form with `To` and `Body`, signed by HMAC-SHA1 over the public URL and the sorted fields.

https://www.twilio.com/docs/usage/security#validating-requests
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

import base64
import hmac
from urllib.parse import parse_qsl

from pydantic import SecretStr

from migration.web.doors.gateway_message import GatewayMessage, Post, not_signed, unreadable

MAX_FIELDS = 200


def read_twilio_post(post: Post, secret: SecretStr) -> GatewayMessage:
    """Raises Refused."""
    try:
        pairs = parse_qsl(post.body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise unreadable("the body is no form as Twilio sends it") from None
    signed = post.url + "".join(name + value for name, value in sorted(set(pairs)))
    digest = hmac.digest(secret.get_secret_value().encode(), signed.encode(), "sha1")
    expected = base64.b64encode(digest).decode()
    if not hmac.compare_digest(expected.encode(), post.headers.get("x-twilio-signature", "").strip().encode()):
        raise not_signed()
    fields = dict(pairs)
    if not fields.get("To") or "Body" not in fields:
        raise unreadable("it has no To or no Body")
    return GatewayMessage(fields["To"], SecretStr(fields["Body"]), fields.get("MessageSid") or expected)
