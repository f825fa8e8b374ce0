"""Send one message from the number on Cloud. At most once: it may have gone out without an answer that says so.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages (no idempotency key)
"""

from typing import ClassVar

from migration.errors import Rejected
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Promise
from state.proof import ACCOUNT_ERRORS, NUMBER_ERRORS, SENDING, message_key, mode_of

# Refusals that say that the number may not be on Cloud: not registered (133010, 131045), not there (33, also as a
# subcode of 100), or under maintenance for a minute (131057). Its senders wait on: the engine waits, and then a person
# looks. After any other refusal it is on Cloud, as `confirm` has read, and pausing its senders longer keeps nothing
# from being lost: what they send gets the same answer. Meta gives such codes later too, by a webhook, where it has
# accepted the message first: there too the number is not proved, and nobody waits for it.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
_NOT_THERE = 33
NOT_ON_CLOUD = frozenset({*NUMBER_ERRORS, _NOT_THERE, 131057})
NO_CODE = 0  # as `smoke_error` has a failure without one


class SendSmoke:
    contract: ClassVar[StepContract] = StepContract(
        name="send_smoke", promise=Promise.AT_MOST_ONCE, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"correlation": f"smoke-{number.randomness(8).hex()}"})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if mode_of(number.state) not in SENDING:
            return Done(Evidence({"sent": False, "why": f"its wave asks for no message: {mode_of(number.state)}"}))
        if recipient_of(number) is None:
            return Done(Evidence({"sent": False, "why": "no recipient is named for smoke messages"}))
        if intent is None:
            return NotDone({"sent": False})
        why = "refused, and may have gone out all the same" if intent.refused else "the answer was lost"
        facts = {"sent": "unknown", "why": f"{why}; not sent again", **intent.facts}
        return Done(Evidence(facts, message={"correlation": intent.facts["correlation"], "state": "unknown"}))

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        to = recipient_of(number)
        assert to is not None
        correlation = str(intent.facts["correlation"])
        try:
            wamid = await send_message(number, to, correlation, intent.send_by)
        except Rejected as exc:
            if exc.error_code in NOT_ON_CLOUD or exc.error_subcode == _NOT_THERE:
                raise
            return _refused(exc, correlation)
        key = message_key(wamid)
        message = {"correlation": correlation, "wamid": key, "state": "accepted"}
        return Evidence({"sent": True, "correlation": correlation, "message": key}, message=message)


def _refused(exc: Rejected, correlation: str) -> Evidence:
    """The number goes on, and is not proved. What concerns its account concerns all numbers of it."""
    code = exc.error_code or NO_CODE
    facts = {"sent": False, "refused": code, "why": str(exc), "correlation": correlation}
    message = {"correlation": correlation, "state": "failed", "error": code}
    return Evidence(facts, message=message, answered=("error", {"code": code}) if code in ACCOUNT_ERRORS else None)


async def send_message(number: Number, to: str, correlation: str, send_by: float) -> str:
    """Returns the message id (wamid)."""
    smoke, phone = number.smoke, number.state.phone_number_id
    if smoke.text is not None:
        return await number.cloud.send_text(phone, to, smoke.text, correlation, send_by=send_by)
    return await number.cloud.send_template(phone, to, smoke.template, smoke.language, correlation, send_by=send_by)


def recipient_of(number: Number) -> str | None:
    """Its E.164; None where nobody is named."""
    return number.state.smoke_to or number.smoke.to
