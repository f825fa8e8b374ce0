"""Can a backup be taken? A trial backup is made and discarded; it changes nothing at the instance."""

import base64
from typing import ClassVar

from pydantic import SecretStr

from migration.clients.onprem_reading import Reading
from migration.engine.itineraries import ItineraryName
from migration.errors import MigrationError, Transient
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number

RUNBOOK = "runbooks/no-backup.md"


class BackupCheck:
    name: ClassVar[str] = "backup"

    async def run(self, number: Number) -> CheckResult | None:
        if number.onprem is None or (await number.onprem.reading()).kind is not Reading.SERVING:
            return None
        password = SecretStr(base64.urlsafe_b64encode(number.randomness(24)).decode())
        needs_backup = number.state.itinerary == ItineraryName.WITH_BACKUP
        try:
            await number.onprem.backup(password)
        except Transient as exc:
            verdict = Verdict.NOT_LOOKED if needs_backup else Verdict.WARN
            return CheckResult(self.name, verdict, f"no trial backup came: {exc}", RUNBOOK)
        except MigrationError as exc:
            verdict = Verdict.FAIL if needs_backup else Verdict.WARN
            return CheckResult(self.name, verdict, f"no backup can be taken: {exc}", RUNBOOK)
        return CheckResult(self.name, Verdict.PASS, "a backup can be taken")
