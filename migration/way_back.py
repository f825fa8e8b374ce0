"""Is there a way back to On-Premises for this number now, and why or why not? Asked before the cutover and after it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from migration.readings import SUNSET
from migration.step import Number


class Way(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"  # nobody has measured it: it is tried, and the number comes forward again where it fails


@dataclass(frozen=True, slots=True)
class WayBack:
    way: Way
    reason: str

    def __str__(self) -> str:
        return f"{self.way}: {self.reason}"


def way_back(number: Number, expires_at: datetime | None = None, *, verified: bool) -> WayBack:
    """From what is known; no call is made. `verified`: Graph shows the number's code status so.

    Registration at On-Premises answers 1005 since before the sunset.

    https://developers.facebook.com/docs/whatsapp/on-premises/reference/account
    """
    instance = number.at.instance
    if instance is None:
        return WayBack(Way.CLOSED, "the number has no On-Premises instance")
    noted = number.found("snapshot").get("expires_at")
    ends = expires_at or (datetime.fromisoformat(str(noted)) if noted else SUNSET)
    if number.now >= ends:
        return WayBack(Way.CLOSED, f"its On-Premises client expired on {ends:%Y-%m-%d}")
    fact = number.facts.get("onprem_registration")
    if fact == "blocked":
        return WayBack(Way.CLOSED, "On-Premises registration is blocked (field fact)")
    if fact == "open":
        return WayBack(
            Way.OPEN, f"On-Premises registration was measured to work; the client lives until {ends:%Y-%m-%d}"
        )
    if not verified:
        said = "whether On-Premises takes the number again is not measured, and coming forward again would need a code"
        return WayBack(Way.CLOSED, said)
    return WayBack(Way.UNKNOWN, "whether On-Premises takes the number again is not measured (onprem_registration)")
