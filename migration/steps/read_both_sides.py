"""Where is the number really? The first step of getting one back that is dark."""

from datetime import timedelta
from typing import ClassVar

from migration.steps.both_sides import not_movable, read_both, side_of
from migration.steps.protocol import Blocked, CannotTell, Evidence, Intent, Number, ReadStep
from state.enums import Promise, Side


class ReadBothSides(ReadStep):
    name: ClassVar[str] = "read_both_sides"
    promise: ClassVar[Promise] = Promise.READ
    longest_call: ClassVar[timedelta] = timedelta(seconds=30)
    settle_for: ClassVar[timedelta] = timedelta()
    fresh_for: ClassVar[timedelta | None] = None
    budget: ClassVar[str | None] = None

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        both = await read_both(number)
        stop = not_movable(both.cloud)
        if stop is not None:
            return stop
        side = side_of(both, number)
        if side is Side.ON_PREMISES:
            said = "the number serves On-Premises; there is nothing to recover"
            return Blocked(said, "runbooks/dark-on-both-sides.md", side)
        return Evidence(both.facts(), side=side)
