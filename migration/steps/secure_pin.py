"""Know the two-step PIN for certain, by setting it ourselves wherever that is possible.

A wrong PIN on `register` takes On-Premises down and brings nothing up, so a PIN of unknown provenance is never
sent: https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration
Setting it replaces whatever was set before; repeating it with the same PIN changes nothing.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr

from migration.steps.both_sides import cached_early, graph_sets_no_pin, not_known_to_be_movable, unclear
from migration.steps.foreign_register import moved_by_others
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import READS_LAG, StepContract
from migration.steps.register_needs import refused_after_the_stop
from state.enums import Party, PinProvenance, Promise

PIN_PAGE = "runbooks/pin-unknown.md"


class SecurePin:
    contract: ClassVar[StepContract] = StepContract(
        name="secure_pin", promise=Promise.REPEATABLE, fresh_for=timedelta(seconds=60), repeats_after=READS_LAG
    )

    async def check(self, number: Number) -> None | Waiting | Blocked:
        both = await cached_early(number)
        # Checked here too: in some itineraries the snapshot is optional or absent.
        stop = not_known_to_be_movable(both, number) or unclear(both, number, self.contract.name)
        stop = stop or moved_by_others(both, number, self.contract.name) or refused_after_the_stop(both, number)
        if stop is not None:
            return stop
        if (set_since := await self._set_behind_us(number)) is not None:
            return set_since
        known = number.state.pin_provenance is not None
        if not known and graph_sets_no_pin(both.cloud, number.facts) and not both.serving:
            return Blocked("no PIN is known and nothing that could set one answers", PIN_PAGE)
        return None

    async def _set_behind_us(self, number: Number) -> Waiting | Blocked | None:
        """Somebody stated that two-step verification is off, and Graph shows a PIN: any that we sent would be wrong.

        A reading may be of before, so it is read again once the lag has passed.
        """
        state, both = number.state, await cached_early(number)
        off = state.pin_provenance is PinProvenance.TWO_STEP_OFF_STATED and not state.register_sent
        if not off or both.serving or both.cloud.is_pin_enabled is not True:
            return None
        shown_at = number.note_of(self.contract.name).get("pin_shown_at")
        first = datetime.fromisoformat(shown_at) if shown_at else number.now
        if number.now < first + READS_LAG:
            note = {"pin_shown_at": first.isoformat()}
            return Waiting(first + READS_LAG, Party.META, "Graph still shows a PIN; reads may lag", note)
        return Blocked("two-step verification was stated to be off, and Graph shows that a PIN is set", PIN_PAGE)

    async def prepare(self, number: Number) -> Draft:
        serving = (await cached_early(number)).serving
        pin = await number.secret("pin") or invented_pin(number)
        return Draft({"route": "onprem" if serving else "cloud"}, {"pin": pin})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if intent is not None:
            return NotDone({"why": "no side shows a PIN; setting the same one again is harmless"})
        provenance = number.state.pin_provenance
        if provenance is None or (await cached_early(number)).serving:
            return NotDone({"pin": "not set by us just now"})
        pin = await number.secret("pin")
        if pin is not None:
            return Done(Evidence({"provenance": provenance, "kept": True}))
        if provenance is PinProvenance.TWO_STEP_OFF_STATED:
            # With two-step off, the PIN sent with `register` becomes the PIN: any will do, but it must be kept.
            return Done(Evidence({"provenance": provenance, "kept": False}, secrets={"pin": invented_pin(number)}))
        return NotDone({"pin": "lost"})

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        pin = intent.secret["pin"]
        if intent.facts["route"] == "onprem":
            assert number.onprem is not None
            await number.onprem.set_two_step(pin, send_by=intent.send_by)
            return Evidence({"provenance": PinProvenance.SET_BY_US}, secrets={"pin": pin}, pin=PinProvenance.SET_BY_US)
        await number.cloud.set_pin(number.state.phone_number_id, pin, send_by=intent.send_by)
        return Evidence(
            {"provenance": PinProvenance.SET_ON_CLOUD}, secrets={"pin": pin}, pin=PinProvenance.SET_ON_CLOUD
        )


def invented_pin(number: Number) -> SecretStr:
    """Six digits that follow from the app's secret and the number; 2**64 values onto a million: a bias below 1e-13.

    No reading shows that somebody has set another PIN since. Two homes of cutover with the same app set the same one,
    so neither makes the other's wrong. Whoever has that secret can set a PIN through Graph anyway.
    """
    secret = number.cloud.secret_for(f"cutover: PIN of {number.state.phone_number_id}")
    return SecretStr(f"{int.from_bytes(secret[:8]) % 1_000_000:06d}")
