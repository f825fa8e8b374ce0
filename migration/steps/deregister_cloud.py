"""Take the number off Cloud: the point of no return of BACK_TO_ONPREM. Acts on Cloud only.

https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
Counted to the ten of 72 hours that deregister has of its own. Taken back by: `register`, as in FORWARD_RECOVERY.
"""

from typing import ClassVar

from migration.clients.cloud_standing import CloudStanding
from migration.steps.both_sides import cached_sides, side_of, unclear
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import READS_LAG, StepContract
from migration.steps.reading_cache import BothSides
from migration.steps.rollback_options import RollbackState, rollback_option
from state.enums import Promise, Side

CLOSED_PAGE = "runbooks/way-back-closed.md"


class DeregisterCloud:
    contract: ClassVar[StepContract] = StepContract(
        name="deregister_cloud", promise=Promise.PROBED, budget="deregister", reads_lag=READS_LAG, moves_to=Side.NEITHER
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        both = await cached_sides(number)
        stop = unclear(both, number, self.contract.name)
        if stop is not None:
            return stop
        cloud = both.cloud
        if not cloud.registered:
            return None  # it is off Cloud already; what is left is to bring it up On-Premises
        option = rollback_option(number, verified=cloud.code_verification_status == "VERIFIED")
        if option.state is RollbackState.CLOSED:
            return Blocked(f"the way back is {option}", CLOSED_PAGE)
        if number.state.pin_provenance is None or await number.secrets.open("pin") is None:
            return Blocked("no PIN is known, so the number could not come forward again", CLOSED_PAGE)
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"onprem_before": (await cached_sides(number)).kind})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        if both.cloud.standing is CloudStanding.NOT_ON_CLOUD:
            return Done(Evidence(both.facts(), side=_side(both, number)))
        if intent is None:
            return NotDone(both.facts(), side_of(both, number))
        if both.cloud.registered and number.now >= intent.answer_due + READS_LAG:
            return NotDone(both.facts() | {"read_at": number.now.isoformat()})
        return CannotTell(number.after(seconds=2), "Graph still shows it on Cloud; reads may lag")

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        await number.cloud.deregister(number.state.phone_number_id, send_by=intent.send_by)
        return Evidence({"accepted": True})


def _side(both: BothSides, number: Number) -> Side:
    read = side_of(both, number)
    # Graph shows it off Cloud; an instance that is silent does not serve it either until it is started.
    return Side.NEITHER if read is Side.UNKNOWN and not both.serving else read
