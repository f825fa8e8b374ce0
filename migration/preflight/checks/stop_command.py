"""Can we stop the instance, and so prove that it is off?"""

from typing import ClassVar

from migration.engine.itineraries import ItineraryName
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number

RUNBOOK = "runbooks/stop-by-hand.md"


class StopCommandCheck:
    name: ClassVar[str] = "stop command"

    async def run(self, number: Number) -> CheckResult | None:
        if number.state.instance is None:
            return None
        if number.state.instance.stop_command is not None:
            return CheckResult(self.name, Verdict.PASS, number.state.instance.stop_command)
        needs_proof = number.state.itinerary in (ItineraryName.CODE_FIRST, ItineraryName.CODE_AFTER)
        verdict = Verdict.FAIL if needs_proof and number.state.onprem_off_stated_by is None else Verdict.WARN
        return CheckResult(self.name, verdict, "none is named; somebody has to stop the client by hand", RUNBOOK)
