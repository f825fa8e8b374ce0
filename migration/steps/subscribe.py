"""Subscribe our app to the WABA, so that webhooks flow from the first second on Cloud.

A bare POST removes an override that the app already has on this WABA, so it is sent only where the app is not
subscribed at all: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override
"""

from datetime import timedelta
from typing import ClassVar

from migration.clients.shared_readings import NOT_SUBSCRIBED_AGE, SUBSCRIBED_AGE
from migration.errors import Transient
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Promise


class Subscribe:
    contract: ClassVar[StepContract] = StepContract(
        name="subscribe", promise=Promise.REPEATABLE, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft()

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        # Read once for the WABA: that it is subscribed may be minutes old; that it is not leads to a call.
        for max_age in (SUBSCRIBED_AGE, NOT_SUBSCRIBED_AGE) if intent is None else (timedelta(),):
            apps = await number.shared.subscribed_apps(max_age)
            for app in apps:
                if app.app_id == number.state.app_id:
                    return Done(Evidence({"subscribed": True, "override": app.override_callback_uri is not None}))
        if any(not app.app_id for app in apps):
            raise Transient("Graph's list of subscribed apps has a row that cannot be read; it may be our app", True)
        return NotDone({"subscribed": False})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        try:
            await number.cloud.subscribe(number.state.waba_id, send_by=intent.send_by)
        finally:
            number.shared.forget_apps()
        return Evidence({"subscribed": True, "by_us": True})
