"""Is our app subscribed to the WABA, and does an override of the partner's stay as it is?"""

from typing import ClassVar

from migration.clients.shared_readings import PREFLIGHT_AGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number


class WebhookSubscriptionCheck:
    name: ClassVar[str] = "webhooks"

    async def run(self, number: Number) -> CheckResult | None:
        apps = await number.shared.subscribed_apps(PREFLIGHT_AGE)
        ours = [app for app in apps if app.app_id == number.state.app_id]
        if not ours:
            return CheckResult(self.name, Verdict.PASS, "our app will be subscribed to the WABA")
        if ours[0].override_callback_uri is not None:
            return CheckResult(self.name, Verdict.PASS, "subscribed, with an override that stays as it is")
        return CheckResult(self.name, Verdict.PASS, "subscribed")
