"""Put back what the move may have cost the business profile: compare with the snapshot, write only differences.

Whether the profile survives is undocumented (docs/unconfirmed.md); Meta's list of what is kept does not name it.
"""

from typing import Any, ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from state.enums import Promise


class RestoreProfile:
    contract: ClassVar[StepContract] = StepContract(
        name="restore_profile", promise=Promise.REPEATABLE, repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"changes": await _missing(number)})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        missing = await _missing(number)
        if not missing:
            return Done(Evidence({"changed": [], **_not_carried(number)}))
        return NotDone({"differs": sorted(missing)})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        changes = intent.facts["changes"]
        await number.cloud.set_profile(number.state.phone_number_id, changes, send_by=intent.send_by)
        return Evidence({"changed": sorted(changes), **_not_carried(number)})


def _not_carried(number: Number) -> dict[str, Any]:
    """What Cloud API does not take of the On-Premises profile: somebody has to write it anew."""
    lost = number.result_of("snapshot").get("profile_not_carried")
    return {"not_carried": dict(lost)} if lost else {}


async def _missing(number: Number) -> dict[str, Any]:
    """Fields that the snapshot had and Cloud now shows otherwise."""
    before: dict[str, Any] = dict(number.result_of("snapshot").get("profile") or {})
    if not before:
        return {}
    now = (await number.cloud.profile(number.state.phone_number_id)).as_facts()
    return {name: value for name, value in before.items() if value and now.get(name) != value}
