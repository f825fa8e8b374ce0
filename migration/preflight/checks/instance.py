"""Does the instance answer, does its login work, does it run, when does it expire?"""

from datetime import timedelta
from typing import ClassVar

from migration.clients.onprem import Reading
from migration.errors import CredentialsRefused, MigrationError
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number

SOON = timedelta(days=7)
LOGIN_PAGE = "runbooks/onprem-login.md"
DOWN_PAGE = "runbooks/far-side-down.md"


class InstanceCheck:
    name: ClassVar[str] = "instance"

    async def run(self, number: Number) -> CheckResult | None:
        if number.onprem is None or number.state.instance is None:
            return None
        where = number.state.instance.name
        try:
            await number.onprem.login()
        except CredentialsRefused as exc:
            return CheckResult(self.name, Verdict.FAIL, f"{where} refuses the login: {exc.details}", LOGIN_PAGE)
        except MigrationError as exc:
            needs_it = number.state.itinerary in ("WITH_BACKUP", "CODE_FIRST")
            verdict = Verdict.FAIL if needs_it else Verdict.WARN
            return CheckResult(self.name, verdict, f"{where} does not answer: {exc}", DOWN_PAGE)
        reading = await number.onprem.reading()
        if reading.kind is not Reading.SERVING:
            return CheckResult(self.name, Verdict.WARN, f"{where} is {reading.kind}: {reading.detail}")
        if reading.expires_at is not None and reading.expires_at < number.now + SOON:
            return CheckResult(self.name, Verdict.WARN, f"{where} expires at {reading.expires_at:%Y-%m-%d %H:%M} UTC")
        return CheckResult(self.name, Verdict.PASS, f"{where} is serving")
