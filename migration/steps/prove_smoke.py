"""Prove that the number can send: Meta took the message, and its health says that the number may send.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
The overall value can be BLOCKED for calling alone, so the phone number's own entity decides.
"""

from datetime import timedelta
from typing import ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise
from state.proof import limit_lowered

PATIENCE = timedelta(minutes=5)
SMOKE_PAGE = "runbooks/smoke-failed.md"


class ProveSmoke(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="prove_smoke", promise=Promise.READ)

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        health = await number.cloud.health(number.state.phone_number_id)
        sent = number.result_of("send_smoke").get("sent")
        can_send = health.messaging
        if can_send in ("AVAILABLE", "LIMITED"):
            lowered = limit_lowered(_limit_before(number), health.limit)
            facts = {"accepted": sent, "health": can_send, "delivery": "not witnessed", "limit lowered": lowered}
            known = {name: fact for name, fact in facts.items() if fact is not None or name == "accepted"}
            return Evidence(known, compared={"limit_lowered": lowered} if health.limit is not None else {})
        stop = Blocked(f"Meta says the number can not send: {health.why}", SMOKE_PAGE)
        return self.not_yet(number, PATIENCE, stop, 5, f"health says {can_send}")


def _limit_before(number: Number) -> str | None:
    graph = (number.result_of("snapshot").get("before") or {}).get("graph") or {}
    limit: str | None = graph.get("whatsapp_business_manager_messaging_limit")
    return limit
