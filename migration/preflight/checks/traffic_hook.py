"""Is the customer's traffic hook set up, if the customer requires one?"""

from typing import ClassVar

from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number


class TrafficHookCheck:
    name: ClassVar[str] = "traffic hook"

    async def run(self, number: Number) -> CheckResult | None:
        if number.hooks is not None:
            return CheckResult(self.name, Verdict.PASS, f"{number.state.hook} is set up")
        if number.state.hook_required:
            message = "required by the customer, and none is set up"
            return CheckResult(self.name, Verdict.FAIL, message, "runbooks/traffic-hook.md")
        return None
