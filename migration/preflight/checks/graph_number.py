"""Can the number be moved at all, by what Graph shows?"""

from typing import ClassVar

from migration.clients.cloud_standing import CloudStanding
from migration.clients.shared_readings import PREFLIGHT_AGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.both_sides import UNCLEAR_PAGE, not_movable
from migration.steps.foreign_register import FOREIGN_PAGE
from migration.steps.number import Number
from migration.steps.register_needs import ACCOUNT_PAGE, NAME_PAGE, STOPS_FIRST, account_problem, name_problem
from state.enums import Side


class GraphNumberCheck:
    name: ClassVar[str] = "number at Graph"

    async def run(self, number: Number) -> CheckResult | None:
        cloud = await number.shared.number(number.state.phone_number_id, PREFLIGHT_AGE)
        blocked = not_movable(cloud)
        if blocked is not None:
            return CheckResult(self.name, Verdict.FAIL, blocked.reason, blocked.runbook)
        if cloud.standing is CloudStanding.CANNOT_TELL:
            shown = f"status {cloud.status} on platform {cloud.platform_type}"
            reason = f"Graph shows {shown}; that does not say whether the number is on Cloud"
            return CheckResult(self.name, Verdict.FAIL, reason, UNCLEAR_PAGE)
        if cloud.registered and not number.state.register_sent and number.state.crossed_at is None:
            message = "it is on Cloud, and no register of this home is on record: somebody else moved it"
            return CheckResult(self.name, Verdict.FAIL, message, FOREIGN_PAGE)
        for problem, page in ((account_problem(cloud), ACCOUNT_PAGE), (name_problem(cloud), NAME_PAGE)):
            if problem is not None:
                stops_first = number.state.itinerary in STOPS_FIRST and number.state.side is Side.ON_PREMISES
                return CheckResult(self.name, Verdict.FAIL if stops_first else Verdict.WARN, problem, page)
        if cloud.new_name_status == "PENDING_REVIEW":
            return CheckResult(self.name, Verdict.WARN, "a new display name is in review; better moved after it")
        if cloud.quality_rating == "RED":
            return CheckResult(self.name, Verdict.WARN, "its quality rating is RED")
        return CheckResult(self.name, Verdict.PASS, f"{cloud.status} on {cloud.platform_type}")
