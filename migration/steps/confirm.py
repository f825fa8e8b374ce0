"""Read that the number is connected on Cloud: the reading that ends the outage."""

from datetime import timedelta
from typing import ClassVar

from migration.steps.both_sides import read_both, side_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Promise, Side

PATIENCE = timedelta(minutes=5)
DARK_PAGE = "runbooks/dark-on-both-sides.md"


class Confirm(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="confirm", promise=Promise.READ, reads_side=True)

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        both = await read_both(number)
        if side_of(both, number) is Side.CLOUD:
            return Evidence(both.facts(), side=Side.CLOUD)
        stop = Blocked(f"register was answered with success, but the number reads {both.facts()}", DARK_PAGE)
        return self.not_yet(number, PATIENCE, stop, 1, "registered, but not connected yet")
