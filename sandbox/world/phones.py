"""The phone network: verification codes, and the phone of each number that receives them.

Codes are valid for minutes and work once: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal


@dataclass(slots=True)
class Code:
    """`arrives_at` is None for a code that never reaches the right phone. `most_tries` 0: any number of tries."""

    digits: str
    sent_at: datetime
    method: str
    arrives_at: datetime | None
    expires_at: datetime
    most_tries: int = 0
    used: bool = False
    tries: int = 0

    def arrived(self, at: datetime) -> bool:
        return self.arrives_at is not None and at >= self.arrives_at

    def as_json(self, at: datetime) -> dict[str, Any]:
        """For the oracle. The digits only once the code has arrived."""
        arrived = self.arrived(at)
        return {
            "code": self.digits if arrived else None,
            "at": self.sent_at.isoformat(),
            "method": self.method,
            "arrived": arrived,
        }


@dataclass(slots=True)
class Phone:
    """The phone of one number. `receives`: calls and SMS, or calls only. `lose`: how many codes still get lost."""

    receives: Literal["both", "voice"] = "both"
    voice_answered_by: Literal["person", "ivr"] = "person"
    """ivr: a machine answers, and only a code sent by the method IVR arrives."""
    wrong_number: bool = False
    """Codes go to another phone."""
    copies: int = 1
    """How often each message arrives, with the same code."""
    lose: int = 0
    codes: list[Code] = field(default_factory=list)

    def send(self, digits: str, method: str, at: datetime, delay_s: float, minutes: float, most_tries: int) -> Code:
        lost = self._is_lost(method)
        code = Code(
            digits,
            at,
            method,
            None if lost else at + timedelta(seconds=delay_s),
            at + timedelta(minutes=minutes),
            most_tries,
        )
        self.codes.append(code)
        return code

    def _is_lost(self, method: str) -> bool:
        if self.wrong_number or (self.receives == "voice" and method == "SMS"):
            return True
        if self.voice_answered_by == "ivr" and method == "VOICE":
            return True
        if self.lose > 0:
            self.lose -= 1
            return True
        return False

    def sent_since(self, at: datetime) -> int:
        return sum(code.sent_at > at for code in self.codes)

    def accept(self, digits: str, at: datetime) -> bool:
        """Whether these digits are the newest code, valid and unused; if so, the code is used then."""
        if not self.codes:
            return False
        newest = self.codes[-1]
        if newest.used or at >= newest.expires_at or 0 < newest.most_tries <= newest.tries:
            return False
        if newest.digits != digits:
            newest.tries += 1
            return False
        newest.used = True
        return True

    def arrived(self, at: datetime) -> list[str]:
        """Digits of the codes that have arrived, newest last."""
        return [code.digits for code in self.codes if code.arrived(at) for _ in range(self.copies)]
