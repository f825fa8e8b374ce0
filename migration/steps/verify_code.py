"""Give Meta the code that somebody read off a phone and typed in. No worker waits for it: the wait is a row.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/phone-numbers
A code lives "typically 10 minutes" and is good once (Meta's OpenAPI file, v23.0).
"""

from datetime import datetime
from typing import ClassVar

from migration.steps.both_sides import recent_graph
from migration.steps.code_requests import CODE_LIVES, is_worth_a_try
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, Intent, NotDone, Probe, Reopen, Waiting
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Party, Promise

ANOTHER = "the right code: the one that was typed was refused"


class VerifyCode:
    contract: ClassVar[StepContract] = StepContract(
        name="verify_code", promise=Promise.REPEATABLE, uses_code=True, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None | Waiting | Blocked | Reopen:
        if is_worth_a_try(number.code, number.now) or await _verified(number):
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


def wait_for_code(number: Number, requested: str) -> Waiting | Reopen:
    """While no code was typed in, for either side: wait as long as the last one is good, then ask again."""
    request = number.result_of(requested)
    asked_at = datetime.fromisoformat(request["asked_at"]) if request.get("asked_at") else None
    until = (asked_at or number.now) + CODE_LIVES
    if asked_at is not None and number.now >= until:
        if request.get("answer_lost"):
            return Reopen(requested, "no code came, and whether one was ever asked for is not known")
        # No other is asked for before somebody is at the phone, and not for ever: MOST_REQUESTS.
        came = (
            "the code was entered too long ago" if number.code is not None else "no code was entered while it was good"
        )
        return Reopen(requested, came)
    what = ANOTHER if _was_refused(number, asked_at) else "the code"
    return Waiting(until, Party.CUSTOMER, f"{what}; type it with `cutover enter-code {number.state.ref}`")


def _was_refused(number: Number, asked_at: datetime | None) -> bool:
    """Whether a code of this request was refused. The person who typed it learns it only from this wait's reason."""
    refused_at = number.code_refused_at
    return refused_at is not None and (asked_at is None or refused_at >= asked_at)


async def _verified(number: Number) -> bool:
    return (await recent_graph(number)).code_verification_status == "VERIFIED"
