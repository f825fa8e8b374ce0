"""The picture of a business profile: what On-Premises gives as bytes, and what Cloud API takes.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/business-profiles
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

MOST_PICTURE_BYTES = 1024 * 1024  # ours: WhatsApp makes 640 x 640 points of it; Meta takes 5 MB
_KINDS = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


@dataclass(frozen=True, slots=True)
class Picture:
    """`kind`: as HTTP names it."""

    content: bytes = field(repr=False)
    kind: str

    def as_facts(self) -> dict[str, Any]:
        """What the record has of it: that there is one, and which."""
        digest = hashlib.sha256(self.content).hexdigest()
        return {"bytes": len(self.content), "kind": self.kind, "sha256": digest}

    def sealed_text(self) -> SecretStr:
        """As it is kept. It is no secret, and a customer's."""
        return SecretStr(base64.b64encode(self.content).decode())


def picture_of(content: bytes) -> Picture | None:
    """None for what Cloud API does not take as a picture."""
    kind = next((kind for start, kind in _KINDS if content.startswith(start)), None)
    return Picture(content, kind) if kind is not None else None


def opened_picture(kept: SecretStr) -> Picture | None:
    """The reverse of `Picture.sealed_text`."""
    return picture_of(base64.b64decode(kept.get_secret_value()))
