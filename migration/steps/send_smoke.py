"""Send one message from the number on Cloud. At most once: it may have gone out without an answer that says so.

https://developers.facebook.com/documentation/business-messaging/whatsapp/messages/send-messages (no idempotency key)
"""

from typing import ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Promise


class SendSmoke:
    contract: ClassVar[StepContract] = StepContract(
        name="send_smoke", promise=Promise.AT_MOST_ONCE, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"correlation": f"smoke-{number.randomness(8).hex()}"})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if _recipient(number) is None:
            return Done(Evidence({"sent": False, "why": "no recipient is named for smoke messages"}))
        if intent is None:
            return NotDone({"sent": False})
        why = "refused, and may have gone out all the same" if intent.refused else "the answer was lost"
        facts = {"sent": "unknown", "why": f"{why}; not sent again", **intent.facts}
        return Done(Evidence(facts, message={"correlation": intent.facts["correlation"], "state": "unknown"}))

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        to = _recipient(number)
        assert to is not None
        correlation = str(intent.facts["correlation"])
        wamid = await number.cloud.send_template(
            number.state.phone_number_id,
            to,
            number.smoke.template,
            number.smoke.language,
            correlation,
            send_by=intent.send_by,
        )
        message = {"correlation": correlation, "wamid": wamid, "state": "accepted"}
        return Evidence({"sent": True, "correlation": correlation, "wamid": wamid}, message=message)


def _recipient(number: Number) -> str | None:
    return number.state.smoke_to or number.smoke.to
