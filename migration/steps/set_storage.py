"""Set where messages are stored, while that can still be set: only before the number is registered on Cloud.

https://developers.facebook.com/documentation/business-messaging/whatsapp/local-storage (from Graph v21.0 on)
"""

from typing import ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Promise


class SetStorage:
    contract: ClassVar[StepContract] = StepContract(
        name="set_storage", promise=Promise.REPEATABLE, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"region": number.state.storage_region})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        wanted = number.state.storage_region
        if wanted is None:
            return Done(Evidence({"region": None}))
        settings = await number.cloud.settings(number.state.phone_number_id)
        if settings.status == "IN_COUNTRY_STORAGE_ENABLED" and settings.region == wanted:
            return Done(Evidence({"region": wanted}))
        return NotDone({"status": settings.status, "region": settings.region})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        region = str(intent.facts["region"])
        await number.cloud.set_storage(number.state.phone_number_id, region, send_by=intent.send_by)
        return Evidence({"region": region, "by_us": True})
