"""Is the customer's traffic hook there where it is required?"""

from typing import ClassVar

from migration.preflight.check import Checked, Verdict
from migration.steps.protocol import Number


class Hook:
    name: ClassVar[str] = "traffic hook"

    async def look(self, number: Number) -> Checked | None:
        if number.hooks is not None:
            return Checked(self.name, Verdict.PASS, f"{number.state.hook} is set up")
        if number.state.hook_required:
            said = "required by the customer, and none is set up"
            return Checked(self.name, Verdict.FAIL, said, "runbooks/traffic-hook.md")
        return None


class Subscription:
    """Is our app subscribed to the WABA, and is an override of the partner's left alone?"""

    name: ClassVar[str] = "webhooks"

    async def look(self, number: Number) -> Checked | None:
        apps = await number.cloud.subscribed_apps(number.state.waba_id)
        ours = [app for app in apps if app.app_id == number.state.app_id]
        if not ours:
            return Checked(self.name, Verdict.PASS, "our app will be subscribed to the WABA")
        if ours[0].override_callback_uri is not None:
            return Checked(self.name, Verdict.PASS, "subscribed, with an override that stays as it is")
        return Checked(self.name, Verdict.PASS, "subscribed")
