"""What an adapter makes of a post: which number received which text. It raises what the door answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr

from migration.web.answers import Refused


@dataclass(frozen=True, slots=True)
class Post:
    """A post as it came. `url`: the public one, which gateways sign. `now`: seconds since 1970."""

    url: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    now: float


@dataclass(frozen=True, slots=True)
class GatewayMessage:
    """`to`: the number that received it, as the gateway writes it. `key`: the same for the same post, and no other."""

    to: str
    text: SecretStr
    key: str


def plain(text: str) -> str:
    """Without what no database takes: half of a character of two halves, and the sign of no character."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


class Adapter(Protocol):
    """One kind of gateway."""

    def __call__(self, post: Post, secret: SecretStr) -> GatewayMessage:
        """Raises Refused: 403 where it is not signed by the gateway, 400 where it cannot be read."""


def not_signed() -> Refused:
    """The same whatever is missing, so that nobody learns which part was right."""
    return Refused(403, "this is not signed by the gateway, or the signature is of another text; nothing was changed")


def unreadable(why: str) -> Refused:
    return Refused(400, f"{why}; nothing was changed")
