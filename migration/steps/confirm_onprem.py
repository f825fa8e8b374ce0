"""Read that the number serves from On-Premises: the reading that ends the outage of a rollback."""

from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from migration.steps.both_sides import read_both, side_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise, Side

NOT_SERVING_FOR = timedelta(seconds=5)
DARK_PAGE = "runbooks/dark-on-both-sides.md"


class ConfirmOnPrem(ReadStep):
    """Reads for half a minute; where the number does not come up by itself, a code is asked for next."""

    contract: ClassVar[StepContract] = StepContract(name="confirm_onprem", promise=Promise.READ, reads_side=True)
    patience: ClassVar[timedelta] = timedelta(seconds=30)

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        both = await read_both(number)
        if side_of(both, number) is Side.ON_PREMISES:
            return Evidence(both.facts(), side=Side.ON_PREMISES)
        # A client that says itself that it is not registered stays so; one that is connecting may come up.
        patience = self.patience if both.kind != "not_serving" else min(self.patience, NOT_SERVING_FOR)
        stop = Blocked(f"the number does not serve On-Premises: {both.facts()}", DARK_PAGE)
        return self.not_yet(number, patience, stop, 3, "not serving On-Premises yet")


class SmokeOnPrem(ConfirmOnPrem):
    """The last reading of a rollback: the number is connected On-Premises, and off Cloud."""

    contract: ClassVar[StepContract] = replace(ConfirmOnPrem.contract, name="smoke_onprem")
    patience: ClassVar[timedelta] = timedelta(minutes=1)
