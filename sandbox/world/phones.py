"""The phone network: verification codes on their way to whoever holds the number's phone.

Codes live for minutes and work once: https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Method = Literal["SMS", "VOICE"]


@dataclass(slots=True)
class Code:
    """`arrives_at` is None for a code that never reaches the right phone; `most_tries` wrong ones kill it, 0: never."""

    digits: str
    sent_at: datetime
    method: str
    arrives_at: datetime | None
    dies_at: datetime
    most_tries: int = 0
    used: bool = False
    tries: int = 0

    def arrived(self, at: datetime) -> bool:
        return self.arrives_at is not None and at >= self.arrives_at

    def as_json(self, at: datetime) -> dict[str, Any]:
        """A code that has not arrived is not shown: nobody could read it."""
        arrived = self.arrived(at)
        return {
            "code": self.digits if arrived else None,
            "at": self.sent_at.isoformat(),
            "method": self.method,
            "arrived": arrived,
        }


@dataclass(slots=True)
class Phone:
    """The phone of one number. `lose` codes still to be lost; `takes` what it can receive."""

    takes: Literal["both", "voice"] = "both"
    voice_answered_by: Literal["person", "ivr"] = "person"
    """A machine that answers calls hears no code; the method IVR is made for it."""
    wrong_number: bool = False
    """Codes reach somebody else."""
    copies: int = 1
    """How often each message comes; it is the same code."""
    lose: int = 0
    codes: list[Code] = field(default_factory=list)

    def send(self, digits: str, method: str, at: datetime, delay_s: float, minutes: float, most_tries: int) -> Code:
        lost = self._loses(method)
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

    def _loses(self, method: str) -> bool:
        if self.wrong_number or (self.takes == "voice" and method == "SMS"):
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
        """Whether these digits are the newest code, alive and unused. Uses it up."""
        if not self.codes:
            return False
        newest = self.codes[-1]
        if newest.used or at >= newest.dies_at or 0 < newest.most_tries <= newest.tries:
            return False
        if newest.digits != digits:
            newest.tries += 1
            return False
        newest.used = True
        return True

    def arrived(self, at: datetime) -> list[str]:
        """Digits of the codes that have arrived, newest last."""
        return [code.digits for code in self.codes if code.arrived(at) for _ in range(self.copies)]
