"""Wait until the instance has delivered what it still holds: queued callbacks are not in the backup and die with it.

https://developers.facebook.com/docs/whatsapp/api/stats/ (`callback_queue_size`)
"""

from datetime import timedelta
from typing import ClassVar

from migration.clients.onprem_reading import Reading
from migration.steps.both_sides import graph_agrees_gone, off_for_sure
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from migration.steps.reading_cache import BothSides
from state.enums import Party, Promise

PATIENCE = timedelta(minutes=10)
# A figure that cannot be read is not drained by waiting, and the senders are paused meanwhile.
PATIENCE_UNREAD = timedelta(seconds=15)


def _serves_no_more(both: BothSides, number: Number) -> bool:
    """The client says so itself, or neither it nor Graph shows that it lives, or the number is on Cloud already."""
    return not both.serving and (both.cloud.registered or off_for_sure(both, number) or graph_agrees_gone(both))


class Drain(ReadStep):
    contract: ClassVar[StepContract] = StepContract(name="drain", promise=Promise.READ, fresh_for=timedelta(seconds=30))

    async def check(self, number: Number) -> None:
        return None

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell | Blocked:
        if number.onprem is None:
            return Evidence({"nothing_to_drain": "no instance"})
        reading = await number.onprem.reading()
        # Graph is asked only where the client does not say itself that it serves: each look costs a call of the WABA.
        if reading.kind is not Reading.SERVING:
            cloud = await number.cloud.number(number.state.phone_number_id)
            return self._of_a_silent_client(number, BothSides(cloud, reading))
        queued = await number.onprem.callback_queue()
        if queued == 0:
            return Evidence({"queued": 0})
        if queued is None:
            why, patience = "the client does not tell how many callbacks are queued", PATIENCE_UNREAD
        else:
            why, patience = f"{queued} callbacks are still queued", PATIENCE
        stop = Blocked(f"{why} after {patience}", "runbooks/callbacks-do-not-drain.md")
        return self.not_yet(number, patience, stop, 3, why, Party.CUSTOMER)

    def _of_a_silent_client(self, number: Number, both: BothSides) -> Evidence | CannotTell | Blocked:
        if _serves_no_more(both, number):
            return Evidence({"nothing_to_drain": both.kind})
        # One reading without an answer proves nothing: what the client still holds would be lost.
        why = f"On-Premises reads {both.kind}, so what it still holds cannot be read"
        stop = Blocked(f"{why} after {PATIENCE}", "runbooks/callbacks-do-not-drain.md")
        return self.not_yet(number, PATIENCE, stop, 3, why, Party.OPERATOR)
