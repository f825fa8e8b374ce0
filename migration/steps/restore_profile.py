"""Put back what the move may have cost the business profile: compare with the snapshot, write only differences.

Whether the profile survives is undocumented (docs/unconfirmed.md); Meta's list of what is kept does not name it.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from migration.clients.profile_picture import opened_picture
from migration.errors import Rejected
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import READS_LAG, StepContract
from migration.steps.snapshot import PICTURE
from state.enums import Promise

# A parameter that is not valid, or is missing: any other refusal is not about what was sent.
# https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
ABOUT_A_FIELD = (100, 131008, 131009)
# So many seconds after the first call the last one may leave: on a slow Graph each of them takes some.
LATER_S = 75.0


class RestoreProfile:
    contract: ClassVar[StepContract] = StepContract(
        name="restore_profile",
        promise=Promise.REPEATABLE,
        # The texts, the two calls of an upload, the picture; where Meta refuses the texts together, each by itself. The
        # last of them leaves within LATER_S, and takes 20 s.
        longest_call=timedelta(seconds=100),
        repeats_after=READS_LAG,
        if_passed_over=(("profile_lost", "it could not be put back"),),
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
        """The texts first: a picture that is refused costs no text, nor a text that is refused another one."""
        texts = {name: value for name, value in intent.facts["changes"].items() if name != PICTURE}
        later = intent.send_by + LATER_S
        lost = await self._put_back(number, texts, intent.send_by, later)
        if PICTURE in intent.facts["changes"]:
            why = await self._put_picture_back(number, later)
            lost |= {PICTURE: why} if why is not None else {}
        known = _not_carried(number)
        if lost:
            known = {"not_carried": {**known.get("not_carried", {}), **lost}}
        found = {"changed": sorted(set(intent.facts["changes"]) - set(lost)), **known}
        return Evidence(found, compared=_compared(number, lost=", ".join(sorted(lost)) or None))

    async def _put_back(self, number: Number, texts: Mapping[str, Any], send_by: float, later: float) -> dict[str, str]:
        """Why Meta refuses those that it refuses; its answer to all together does not say which one is meant.

        `later`: until then what follows the first call may leave.
        """
        phone_number_id = number.state.phone_number_id
        if not texts:
            return {}
        try:
            await number.cloud.set_profile(phone_number_id, texts, send_by=send_by)
        except Rejected as exc:
            if exc.error_code not in ABOUT_A_FIELD:
                raise
            if len(texts) == 1:
                return {next(iter(texts)): f"Meta refuses it: {exc.details}"}
        else:
            return {}
        lost: dict[str, str] = {}
        for name, value in texts.items():
            lost |= await self._put_back(number, {name: value}, later, later)
        return lost

    async def _put_picture_back(self, number: Number, later: float) -> str | None:
        """Why it could not be put back, or None."""
        kept = await number.secret(PICTURE)
        picture = opened_picture(kept) if kept is not None else None
        if picture is None:
            return "it is no longer kept"
        try:
            handle = await number.cloud.upload_picture(number.state.app_id, picture, send_by=later)
            changes = {"profile_picture_handle": handle}
            await number.cloud.set_profile(number.state.phone_number_id, changes, send_by=later)
        except Rejected as exc:
            if exc.error_code not in ABOUT_A_FIELD:
                raise
            return f"Meta refuses it: {exc.details}"
        return None


def _compared(number: Number, lost: str | None = None) -> dict[str, Any]:
    """Nothing of the profile is missing now, as far as it was known before: a picture only where there was one."""
    snapshot = number.result_of("snapshot")
    if not snapshot.get("profile"):
        return {}
    with_picture = snapshot.get(PICTURE) and PICTURE not in (lost or "")
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
