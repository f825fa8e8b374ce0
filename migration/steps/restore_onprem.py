"""Put the kept backup into the client: on a clean node it initialises itself and may serve without a code.

https://developers.facebook.com/docs/whatsapp/on-premises/reference/settings/backup-and-restore
Whether that works for a number that was on Cloud since is undocumented (docs/unconfirmed.md); the steps after this
one read the client, and ask for a code where it did not.
"""

import json
from datetime import timedelta
from typing import ClassVar

from pydantic import SecretStr

from migration.steps.both_sides import cached_sides, serving_side
from migration.steps.number import Number
from migration.steps.outcomes import Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import AFTER_COMMAND, StepContract
from state.enums import Promise


class RestoreOnPrem:
    contract: ClassVar[StepContract] = StepContract(
        name="restore_onprem",
        promise=Promise.REPEATABLE,
        longest_call=timedelta(seconds=60),
        repeats_after=AFTER_COMMAND,
    )

    async def check(self, number: Number) -> None:
        return None

    async def prepare(self, number: Number) -> Draft:
        backup = await number.secrets.open("backup")
        return Draft({}, {"backup": backup} if backup is not None else {})

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        if both.serving:
            return Done(Evidence(both.facts() | {"restored": False}, side=serving_side(both)))
        if intent is None and (self._restored_before(number) or await number.secrets.open("backup") is None):
            return Done(Evidence(both.facts() | {"restored": self._restored_before(number)}))
        return NotDone({"why": "the same backup again is harmless", **both.facts()})

    def _restored_before(self, number: Number) -> bool:
        return bool(number.result_of(self.contract.name).get("restored"))

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        assert number.onprem is not None
        backup = json.loads(intent.secret["backup"].get_secret_value())
        await number.onprem.restore(SecretStr(backup["data"]), SecretStr(backup["password"]), send_by=intent.send_by)
        return Evidence({"restored": True})
