"""Write down what is true before anything is touched: both sides, the profile, the topology.

Changes nothing. The profile is what a register without a backup loses:
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/migrating-from-onprem-to-cloud
"""

from typing import Any, ClassVar

from migration.clients.shared_readings import BEFORE_CROSSING_AGE
from migration.steps.both_sides import cloud_before_crossing, not_movable, read_early, side_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise

KEPT = ("expires_at", "profile", "profile_not_carried")


class Snapshot(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="snapshot", promise=Promise.READ, reads_side=True)

    async def check(self, number: Number) -> None | Blocked:
        return not_movable(await cloud_before_crossing(number, BEFORE_CROSSING_AGE))

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        both = await read_early(number)
        facts: dict[str, Any] = (
            _only_known_from_the_client(number)
            | both.facts()
            | {
                "verified_name": both.cloud.verified_name,
                "code_verification_status": both.cloud.code_verification_status,
                "quality_rating": both.cloud.quality_rating,
            }
        )
        if both.onprem is not None and both.onprem.expires_at is not None:
            facts["expires_at"] = both.onprem.expires_at.isoformat()
        if both.serving and number.onprem is not None:
            profile = await number.onprem.profile()
            facts |= {"profile": profile.as_facts()}
            facts.pop("profile_not_carried", None)
            if profile.not_carried:
                facts["profile_not_carried"] = dict(profile.not_carried)
        return Evidence(facts, side=side_of(both, number))


def _only_known_from_the_client(number: Number) -> dict[str, Any]:
    """From an earlier snapshot: put on another itinerary while dark, a number would lose its profile otherwise."""
    return {name: fact for name, fact in number.result_of("snapshot").items() if name in KEPT}
