"""Does Graph accept the profile's token? Checks its app, its permissions and when it expires."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

from migration.clients.graph_errors import CREDENTIALS, is_of_app_secret
from migration.errors import CredentialsRefused, Rejected
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number

# https://developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/registration
NEEDED = ("whatsapp_business_management", "whatsapp_business_messaging")
WARN_BEFORE = timedelta(days=7)
RUNBOOK = "runbooks/token-refused.md"


class TokenCheck:
    name: ClassVar[str] = "token"

    async def run(self, number: Number) -> CheckResult | None:
        try:
            facts = await number.shared.token()
        except Rejected as exc:
            refused = isinstance(exc, CredentialsRefused)
            if exc.error_code in CREDENTIALS or (refused and exc.error_code is None):
                raise
            # Whether a token may look itself up says nothing about what it may do with the number.
            why = (
                "Graph refuses the app secret"
                if refused and is_of_app_secret(exc)
                else "the token may not look itself up"
            )
            return CheckResult(self.name, Verdict.NOT_LOOKED, f"{why}: {exc.details}", RUNBOOK)
        if facts.is_valid is None:
            return CheckResult(self.name, Verdict.NOT_LOOKED, "Graph did not say whether the token is valid", RUNBOOK)
        if not facts.is_valid:
            return CheckResult(
                self.name, Verdict.FAIL, f"Graph refuses the token of profile {number.state.profile}", RUNBOOK
            )
        if facts.app_id is not None and facts.app_id != number.state.app_id:
            message = f"the token is of app {facts.app_id}, the profile of app {number.state.app_id}"
            return CheckResult(self.name, Verdict.FAIL, message, RUNBOOK)
        if facts.scopes is None:
            return CheckResult(self.name, Verdict.WARN, "what the token may do cannot be read", RUNBOOK)
        missing = [scope for scope in NEEDED if facts.scopes and scope not in facts.scopes]
        if missing:
            return CheckResult(self.name, Verdict.FAIL, f"the token may not do {', '.join(missing)}", RUNBOOK)
        if facts.expires_at is None:
            return CheckResult(self.name, Verdict.WARN, "when the token ends cannot be read", RUNBOOK)
        if facts.expires_at and datetime.fromtimestamp(facts.expires_at, UTC) < number.now + WARN_BEFORE:
            return CheckResult(self.name, Verdict.WARN, f"the token ends within {WARN_BEFORE.days} days", RUNBOOK)
        return CheckResult(self.name, Verdict.PASS, f"profile {number.state.profile} is accepted")
