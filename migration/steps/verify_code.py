"""Give Meta the code that somebody read off a phone and typed in. No worker waits for it: the wait is a row.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
A code lives "typically 10 minutes" and is good once (Meta's OpenAPI file, v23.0).
"""

from datetime import datetime, timedelta
from typing import ClassVar

from migration.steps.protocol import Blocked, Done, Draft, Evidence, Intent, NotDone, Number, Probe, Reopen, Waiting
from migration.steps.request_code import CODE_LIVES
from state.enums import Party, Promise

NO_CODE_PAGE = "runbooks/code-never-comes.md"
ANOTHER = "the right code: the one that was typed was refused"


class VerifyCode:
    name: ClassVar[str] = "verify_code"
    promise: ClassVar[Promise] = Promise.REPEATABLE
    longest_call: ClassVar[timedelta] = timedelta(seconds=30)
    settle_for: ClassVar[timedelta] = timedelta(minutes=5)
    fresh_for: ClassVar[timedelta | None] = None
    budget: ClassVar[str | None] = None

    async def check(self, number: Number) -> None | Waiting | Blocked | Reopen:
        if number.code is not None or await _verified(number):
            return None
        return wait_for_code(number, "request_code")

    async def prepare(self, number: Number) -> Draft:
        code = await number.secrets.open_code()
        return Draft({"code_id": number.code.id if number.code else None}, {"code": code} if code else {})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if await _verified(number):
            return Done(Evidence({"verified": True}, code_verified=True))
        return NotDone({"verified": False})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        await number.cloud.verify_code(number.state.phone_number_id, intent.secret["code"], send_by=intent.send_by)
        return Evidence({"verified": True}, code_verified=True)


def wait_for_code(number: Number, requested: str) -> Waiting | Blocked | Reopen:
    """What to do while no code was typed in, on either side: wait as long as one is good, then ask again or stop."""
    asked = number.result_of(requested)
    asked_at = asked.get("asked_at")
    until = (datetime.fromisoformat(asked_at) if asked_at else number.now) + CODE_LIVES
    if asked_at is not None and number.now >= until:
        if asked.get("answer_lost"):
            return Reopen(requested, "no code came, and whether one was ever asked for is not known")
        return Blocked("no code was entered while it was good", NO_CODE_PAGE)
    what = ANOTHER if _refused(number.state.reason or "") else "the code"
    return Waiting(until, Party.CUSTOMER, f"{what}; type it with `cutover enter-code {number.state.ref}`")


def _refused(reason: str) -> bool:
    """Whoever typed a wrong code has to learn it here: the wait looks as it did before."""
    return reason.startswith((ANOTHER, "verify_code was refused", "verify_code_onprem was refused"))


async def _verified(number: Number) -> bool:
    return (await number.cloud.number(number.state.phone_number_id)).code_verification_status == "VERIFIED"
