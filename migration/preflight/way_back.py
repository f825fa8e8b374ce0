"""Is there a way back to On-Premises, and why not?"""

from typing import ClassVar

from migration.preflight.check import Checked, Verdict
from migration.step import Number
from migration.way_back import way_back


class WayBackCheck:
    name: ClassVar[str] = "way back"

    async def look(self, number: Number) -> Checked | None:
        reading = await number.onprem.reading() if number.onprem is not None else None
        cloud = await number.cloud.number(number.at.phone_number_id)
        verified = cloud.code_verification_status == "VERIFIED"
        found = way_back(number, reading.expires_at if reading is not None else None, verified=verified)
        return Checked(self.name, Verdict.PASS, str(found))
