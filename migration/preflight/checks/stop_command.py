"""Can the instance be proved off?"""

from typing import ClassVar

from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number

PAGE = "runbooks/stop-by-hand.md"


class StopCommandCheck:
    name: ClassVar[str] = "stop command"

    async def run(self, number: Number) -> CheckResult | None:
        if number.state.instance is None:
            return None
        if number.state.instance.stop_command is not None:
            return CheckResult(self.name, Verdict.PASS, number.state.instance.stop_command)
        must = number.state.itinerary in ("CODE_FIRST", "CODE_AFTER")
        verdict = Verdict.FAIL if must and number.state.onprem_off_stated_by is None else Verdict.WARN
        return CheckResult(self.name, verdict, "none is named; somebody has to stop the client by hand", PAGE)
