"""Put back what the move may have cost the business profile: compare with the snapshot, write only differences.

Whether the profile survives is undocumented (docs/unconfirmed.md); Meta's list of what is kept does not name it.
"""

from datetime import timedelta
from typing import Any, ClassVar

from migration.clients.profile_picture import opened_picture
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from migration.steps.snapshot import PICTURE
from state.enums import Promise


class RestoreProfile:
    contract: ClassVar[StepContract] = StepContract(
        name="restore_profile",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=80),  # four calls: the texts, the two of an upload, the picture
        repeats_after=READS_LAG,
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        return Draft({"changes": await _missing(number)})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        missing = await _missing(number)
        if not missing:
            found = {"changed": _changed_before(intent), **_not_carried(number)}
            return Done(Evidence(found, compared=_compared(number)))
        return NotDone({"differs": sorted(missing)})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        """The texts first: a picture that is refused costs no text."""
        texts = {name: value for name, value in intent.facts["changes"].items() if name != PICTURE}
        phone_number_id = number.state.phone_number_id
        if texts:
            await number.cloud.set_profile(phone_number_id, texts, send_by=intent.send_by)
        if PICTURE in intent.facts["changes"]:
            kept = await number.secret(PICTURE)
            picture = opened_picture(kept) if kept is not None else None
            if picture is None:
                lost = {**_not_carried(number).get("not_carried", {}), PICTURE: "it is no longer kept"}
                compared = _compared(number, lost=PICTURE)
                return Evidence({"changed": sorted(texts), "not_carried": lost}, compared=compared)
            handle = await number.cloud.upload_picture(number.state.app_id, picture, send_by=intent.send_by)
            changes = {"profile_picture_handle": handle}
            await number.cloud.set_profile(phone_number_id, changes, send_by=intent.send_by)
        found = {"changed": sorted(intent.facts["changes"]), **_not_carried(number)}
        return Evidence(found, compared=_compared(number))


def _compared(number: Number, lost: str | None = None) -> dict[str, Any]:
    """Nothing of the profile is missing now, as far as it was known before: a picture only where there was one."""
    snapshot = number.result_of("snapshot")
    if not snapshot.get("profile"):
        return {}
    with_picture = snapshot.get(PICTURE) and lost is None
    return {"profile_lost": lost} | ({"profile_read_at": number.time()} if with_picture else {})


def _changed_before(intent: Intent | None) -> list[str]:
    """What the call has put back whose answer was lost."""
    return sorted(intent.facts.get("changes", {})) if intent is not None else []


def _not_carried(number: Number) -> dict[str, Any]:
    """What Cloud API does not take of the On-Premises profile: somebody has to write it anew."""
    lost = number.result_of("snapshot").get("profile_not_carried")
    return {"not_carried": dict(lost)} if lost else {}


async def _missing(number: Number) -> dict[str, Any]:
    """Fields that the snapshot had and Cloud now shows otherwise. Of a picture, only whether there is one."""
    snapshot = number.result_of("snapshot")
    before: dict[str, Any] = dict(snapshot.get("profile") or {})
    if not before and not snapshot.get(PICTURE):
        return {}
    profile = await number.cloud.profile(number.state.phone_number_id)
    now = profile.as_facts()
    missing = {name: value for name, value in before.items() if value and now.get(name) != value}
    if snapshot.get(PICTURE) and not profile.profile_picture_url:
        missing[PICTURE] = snapshot[PICTURE]
    return missing
