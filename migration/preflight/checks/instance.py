"""Does the instance answer, accept our login and serve the number, and when does it expire?"""

from datetime import timedelta
from typing import ClassVar

from migration.clients.onprem_reading import Reading
from migration.engine.itineraries import ItineraryName
from migration.errors import CredentialsRefused, MigrationError
from migration.preflight.check import CheckResult, Verdict
from migration.steps.both_sides import CORRECT, wrong_client
from migration.steps.number import Number

WARN_BEFORE = timedelta(days=7)
LOGIN_RUNBOOK = "runbooks/onprem-login.md"
DOWN_RUNBOOK = "runbooks/far-side-down.md"


class InstanceCheck:
    name: ClassVar[str] = "instance"

    async def run(self, number: Number) -> CheckResult | None:
        if number.onprem is None or number.state.instance is None:
            return None
        instance = number.state.instance.name
        try:
            await number.onprem.login()
        except CredentialsRefused as exc:
            return CheckResult(self.name, Verdict.FAIL, f"{instance} refuses the login: {exc.details}", LOGIN_RUNBOOK)
        except MigrationError as exc:
            return self._not_looked(number, f"{instance} does not answer: {exc}")
        reading = await number.onprem.reading()
        if reading.of_another:
            return CheckResult(self.name, Verdict.FAIL, f"{wrong_client(reading)}; {CORRECT}", LOGIN_RUNBOOK)
        if reading.kind is Reading.UNREACHABLE:
            return self._not_looked(number, f"{instance} does not answer: {reading.detail}")
        if reading.kind is not Reading.SERVING:
            return CheckResult(self.name, Verdict.WARN, f"{instance} is {reading.kind}: {reading.detail}")
        if reading.expires_at is not None and reading.expires_at < number.now + WARN_BEFORE:
            return CheckResult(
                self.name, Verdict.WARN, f"{instance} expires at {reading.expires_at:%Y-%m-%d %H:%M} UTC"
            )
        return CheckResult(self.name, Verdict.PASS, f"{instance} is serving")

    def _not_looked(self, number: Number, message: str) -> CheckResult:
        """Nothing is known of the instance. An itinerary that does without it would succeed all the same."""
        needs_instance = number.state.itinerary in (ItineraryName.WITH_BACKUP, ItineraryName.CODE_FIRST)
        return CheckResult(self.name, Verdict.NOT_LOOKED if needs_instance else Verdict.WARN, message, DOWN_RUNBOOK)
