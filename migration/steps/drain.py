"""Wait until the instance has delivered what it still holds: queued callbacks are not in the backup and die with it.

https://developers.facebook.com/docs/whatsapp/api/stats/ (`callback_queue_size`)
"""

from datetime import timedelta
from typing import ClassVar

from migration.steps.both_sides import read_both
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from state.enums import Party, Promise

PATIENCE = timedelta(minutes=10)


class Drain(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="drain", promise=Promise.READ, fresh_for=timedelta(seconds=30))

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        both = await read_both(number)
        if not both.serving or number.onprem is None:
            return Evidence({"nothing_to_drain": both.kind})
        queued = await number.onprem.callback_queue()
        if queued == 0:
            return Evidence({"queued": 0})
        why = f"{queued} callbacks are still queued"
        stop = Blocked(f"{why} after {PATIENCE}", "runbooks/callbacks-do-not-drain.md")
        return self.not_yet(number, PATIENCE, stop, 3, why, Party.CUSTOMER)
