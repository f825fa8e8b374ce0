"""Read both sides of a number that is dark, before anything is done to get it back."""

from typing import ClassVar

from migration.steps.both_sides import not_known_to_be_movable, read_both, side_of
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from migration.steps.service_log import Doubt
from state.enums import Promise, Side


class ReadBothSides(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="read_both_sides", promise=Promise.READ, reads_side=True)

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        both = await read_both(number)
        stop = not_known_to_be_movable(both, number)
        if stop is not None:
            return stop
        side = side_of(both, number)
        if side is Side.CLOUD and number.service.doubt is Doubt.PRESENCE:
            return CannotTell(number.after(seconds=5), "Graph may still show what was before the number left Cloud")
        if side is Side.ON_PREMISES:
            reason = "the number serves On-Premises; there is nothing to recover"
            return Blocked(reason, "runbooks/dark-on-both-sides.md", side)
        return Evidence(both.facts(), side=side)
