"""What Graph says of the number: can it be moved at all?"""

from typing import ClassVar

from migration.preflight.check import Checked, Verdict
from migration.steps.both_sides import not_movable
from migration.steps.protocol import Number


class GraphNumber:
    name: ClassVar[str] = "number at Graph"

    async def look(self, number: Number) -> Checked | None:
        cloud = await number.cloud.number(number.state.phone_number_id)
        stop = not_movable(cloud)
        if stop is not None:
            return Checked(self.name, Verdict.FAIL, stop.reason, stop.runbook)
        if cloud.new_name_status == "PENDING_REVIEW":
            return Checked(self.name, Verdict.WARN, "a new display name is in review; better moved after it")
        if cloud.quality_rating == "RED":
            return Checked(self.name, Verdict.WARN, "its quality rating is RED")
        return Checked(self.name, Verdict.PASS, f"{cloud.status} on {cloud.platform_type}")
