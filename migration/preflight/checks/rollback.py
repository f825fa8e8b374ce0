"""Is there a way back to On-Premises after the move, and why not?"""

from typing import Any, ClassVar

from migration.clients.shared_readings import PREFLIGHT_AGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number
from migration.steps.rollback_options import rollback_option


class RollbackCheck:
    name: ClassVar[str] = "way back"

    async def run(self, number: Number) -> CheckResult | None:
        reading = await number.onprem.reading() if number.onprem is not None else None
        cloud = await number.shared.number(number.state.phone_number_id, PREFLIGHT_AGE)
        verified = cloud.code_verification_status == "VERIFIED"
        expires_at = reading.expires_at if reading is not None else None
        option = rollback_option(number, expires_at, verified=verified)
        facts: dict[str, Any] = {"code_verification_status": cloud.code_verification_status}
        if expires_at is not None:
            facts["expires_at"] = expires_at.isoformat()
        return CheckResult(self.name, Verdict.PASS, str(option), facts=facts, rollback=option)
