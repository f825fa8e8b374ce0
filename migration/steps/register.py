"""Register the number on Cloud API. This is the cutover.

With a backup in the body the same call takes the number off On-Premises, in up to 15 s, without a code. A wrong
PIN takes it off On-Premises too and leaves it registered nowhere; that is why `secure_pin` runs just before.
https://developers.facebook.com/docs/whatsapp/cloud-api/reference/account-migration

Taken back by: the `BACK_TO_ONPREM` itinerary, where that is open. A refusal is not "nothing happened".
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import SecretStr

from migration.clients.cloud_standing import CloudStanding
from migration.clients.graph_models import Backup
from migration.steps.both_sides import cached_sides, keeps_its_pin, not_its_own_client, side_of, unclear
from migration.steps.foreign_register import moved_by_others
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe, Waiting
from migration.steps.protocol import READS_LAG, StepContract
from migration.steps.reading_cache import BothSides
from migration.steps.secure_pin import PIN_PAGE
from state.enums import PinProvenance, Promise, Side

# https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/get-started-for-solution-partners
EMBEDDED_SIGNUP_DAYS = 14
SIGNUP_PAGE = "runbooks/embedded-signup-again.md"


class Register:
    contract: ClassVar[StepContract] = StepContract(
        name="register",
        promise=Promise.PROBED,
        longest_call=timedelta(seconds=50),
        budget="register",
        reads_lag=READS_LAG,
        moves_to=Side.CLOUD,
    )

    def __init__(self, *, with_backup: bool) -> None:
        self._with_backup = with_backup

    async def check(self, number: Number) -> None | Waiting | Blocked:
        if number.state.pin_provenance is None or await number.secret("pin") is None:
            return Blocked("the PIN is of unknown provenance; a wrong one takes the number down", PIN_PAGE)
        if self._with_backup and await number.secret("backup") is None:
            return Blocked("there is no backup to register with", "runbooks/no-backup.md")
        both = await cached_sides(number)
        if number.state.pin_provenance is PinProvenance.SET_ON_CLOUD and keeps_its_pin(both.cloud, number.facts):
            return Blocked("Graph has not set the PIN of this number: On-Premises keeps its own", PIN_PAGE)
        if number.state.crossed_at is None and (wrong := not_its_own_client(both)) is not None:
            return wrong
        stop = moved_by_others(both, number, self.contract.name) or unclear(both, number, self.contract.name)
        return stop or self._signup_too_old(number, both)

    async def prepare(self, number: Number) -> Draft:
        number.cloud.connect_ahead()
        secret = {"pin": await number.secret("pin")}
        if self._with_backup:
            secret["backup"] = await number.secret("backup")
        both = await cached_sides(number)
        return Draft(
            {"has_backup": self._with_backup, "onprem_before": both.kind},
            {name: value for name, value in secret.items() if value is not None},
        )

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        both = await cached_sides(number)
        if both.cloud.registered and not both.serving:
            return Done(Evidence(both.facts(), side=Side.CLOUD))
        if both.cloud.registered:
            return CannotTell(number.after(seconds=2), "both sides claim the number")
        if intent is None:
            return NotDone(both.facts(), side_of(both, number))
        return self._not_on_cloud(number, intent, both)

    def _not_on_cloud(self, number: Number, intent: Intent, both: BothSides) -> Probe:
        """One reading shows the number not on Cloud. Is it proved that the call had no effect?"""
        again = number.next_check(intent.opened_at, 2)
        absent = both.cloud.standing is CloudStanding.NOT_ON_CLOUD
        if both.serving and absent:
            return NotDone(both.facts())  # the side that would have lost the number still serves it
        if both.serving:
            return CannotTell(again, "the client serves, and Graph does not show whether it is on Cloud")
        stated = number.state.onprem_off_stated_at
        readable = absent and number.now >= intent.answer_due + READS_LAG
        if readable and stated is not None and stated > intent.opened_at:
            return NotDone(both.facts() | {"off_stated_by": number.state.onprem_off_stated_by})  # so not by our call
        if self._with_backup and intent.facts.get("onprem_before") == "serving":
            # On-Premises went down, so the call did arrive. Cloud comes up when it ends, or reads lag.
            return CannotTell(again, "On-Premises is down and Cloud is not up yet")
        if readable:
            return NotDone(both.facts() | {"read_at": number.now.isoformat()})
        return CannotTell(again, "no answer, and not on Cloud yet")

    async def apply(self, number: Number, intent: Intent) -> Evidence:
        await number.cloud.register(
            number.state.phone_number_id, intent.secret["pin"], _backup(intent.secret), send_by=intent.send_by
        )
        return Evidence({"accepted": True})

    def _signup_too_old(self, number: Number, both: BothSides) -> None | Blocked:
        if number.state.itinerary != "ONBOARD":
            return None
        onboarded = both.cloud.last_onboarded_time
        if onboarded == "unreadable":
            return Blocked("when Embedded Signup was cannot be read", SIGNUP_PAGE)
        if onboarded is not None and number.now > onboarded + timedelta(days=EMBEDDED_SIGNUP_DAYS):
            return Blocked(
                f"Embedded Signup was {_days(number.now, onboarded)} days ago; it has to be gone through again",
                SIGNUP_PAGE,
            )
        return None


def _backup(secret: Mapping[str, SecretStr]) -> Backup | None:
    if "backup" not in secret:
        return None
    backup = json.loads(secret["backup"].get_secret_value())
    return Backup(data=SecretStr(backup["data"]), password=SecretStr(backup["password"]))


def _days(now: datetime, then: datetime) -> int:
    return (now - then).days
