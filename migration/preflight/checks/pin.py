"""Is the PIN known that `register` will send?"""

from typing import ClassVar

from migration.clients.onprem_reading import Reading
from migration.clients.shared_readings import PREFLIGHT_AGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.both_sides import graph_sets_no_pin
from migration.steps.number import Number

RUNBOOK = "runbooks/pin-unknown.md"


class PinCheck:
    name: ClassVar[str] = "PIN"

    async def run(self, number: Number) -> CheckResult | None:
        if number.onprem is not None and (await number.onprem.reading()).kind is Reading.SERVING:
            return CheckResult(self.name, Verdict.PASS, "we set one at the instance before the move")
        if number.state.pin_provenance is not None:
            return CheckResult(self.name, Verdict.PASS, f"known: {number.state.pin_provenance}")
        if graph_sets_no_pin(await number.shared.number(number.state.phone_number_id, PREFLIGHT_AGE), number.facts):
            return CheckResult(self.name, Verdict.FAIL, "no PIN is known and nothing could set one", RUNBOOK)
        message = "no PIN is known; whether Graph lets us set one now is undocumented and tried before the move"
        return CheckResult(self.name, Verdict.WARN, message)
