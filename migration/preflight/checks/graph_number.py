"""Can the number be moved at all, by what Graph shows?"""

from typing import ClassVar

from migration.clients.shared_readings import PREFLIGHT_AGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.both_sides import not_movable
from migration.steps.number import Number


class GraphNumberCheck:
    name: ClassVar[str] = "number at Graph"

    async def run(self, number: Number) -> CheckResult | None:
        cloud = await number.shared.number(number.state.phone_number_id, PREFLIGHT_AGE)
        blocked = not_movable(cloud)
        if blocked is not None:
            return CheckResult(self.name, Verdict.FAIL, blocked.reason, blocked.runbook)
        if cloud.new_name_status == "PENDING_REVIEW":
            return CheckResult(self.name, Verdict.WARN, "a new display name is in review; better moved after it")
        if cloud.quality_rating == "RED":
            return CheckResult(self.name, Verdict.WARN, "its quality rating is RED")
        return CheckResult(self.name, Verdict.PASS, f"{cloud.status} on {cloud.platform_type}")
