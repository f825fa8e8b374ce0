"""Read whether Meta's health says that the number may send. It is proved by messages, never by this.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/health-status
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from migration.clients.graph_models import Health
from migration.steps.both_sides import read_both, side_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise, Side
from state.proof import limit_lowered

PATIENCE = timedelta(minutes=5)
SMOKE_PAGE = "runbooks/smoke-failed.md"
MAY_SEND = ("AVAILABLE", "LIMITED")


class ProveSmoke(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="prove_smoke", promise=Promise.READ)

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        """Its senders wait for this. Where only the account stands against it, they go on: the number is on Cloud."""
        health = await number.cloud.health(number.state.phone_number_id)
        refused = number.result_of("send_smoke").get("refused") is not None
        if health.messaging in MAY_SEND or health.number in MAY_SEND or refused:
            return _evidence(number, health)
        stop = Blocked(f"Meta says the number can not send: {health.why}", SMOKE_PAGE)
        outcome = self.not_yet(number, PATIENCE, stop, 5, f"health says {health.messaging}")
        if isinstance(outcome, Blocked) and side_of(await read_both(number), number) is Side.CLOUD:
            return _evidence(number, health)
        return outcome


def _evidence(number: Number, health: Health) -> Evidence:
    lowered = limit_lowered(_limit_before(number), health.limit)
    may_send = health.messaging in MAY_SEND
    facts = {
        "accepted": number.result_of("send_smoke").get("sent"),
        "health": health.messaging,
        "why": None if may_send else health.why,
        "delivery": "not witnessed",
        "limit lowered": lowered,
    }
    known = {name: fact for name, fact in facts.items() if fact is not None or name == "accepted"}
    compared = {"limit_lowered": lowered} if health.limit is not None else {}
    return Evidence(known, compared=compared, answered=None if may_send else ("change", _answer(health)))


def _answer(health: Health) -> Mapping[str, Any]:
    """As `migration/waves/reported.py` reads it."""
    return {"health": health.messaging, **({"code": health.codes[0]} if health.codes else {})}


def _limit_before(number: Number) -> str | None:
    graph = (number.result_of("snapshot").get("before") or {}).get("graph") or {}
    limit: str | None = graph.get("whatsapp_business_manager_messaging_limit")
    return limit
