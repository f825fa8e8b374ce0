"""Wait until the instance has delivered what it still holds: queued callbacks are not in the backup and die with it.

Where its senders are paused, the queue has to be empty at two looks between which nothing was posted: then the
messages that were under way have their statuses too. At the limit a person decides, or the number goes on and what
was left is on record. https://developers.facebook.com/docs/whatsapp/api/stats/ (`callback_queue_size`)
"""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

from migration.clients.onprem_parsing import CallbackQueue
from migration.clients.onprem_reading import Reading
from migration.errors import MigrationError
from migration.steps.both_sides import graph_agrees_gone, off_for_sure
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Evidence, Intent
from migration.steps.protocol import ReadStep, StepContract
from migration.steps.reading_cache import BothSides
from state.enums import Party, Promise

# A figure that cannot be read is not drained by waiting, and the senders are paused meanwhile.
PATIENCE_UNREAD = timedelta(seconds=15)
STABLE = timedelta(seconds=2)  # between the two looks; the figure is ours
PAGE = "runbooks/callbacks-do-not-drain.md"


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
        if "empty" in number.note_of(self.contract.name):
            # A moment ago it served; the queue alone is read again, while its senders wait.
            with suppress(MigrationError):
                return self._of_queue(number, await number.onprem.callback_queue())
        reading = await number.onprem.reading()
        # Graph is asked only where the client does not say itself that it serves: each look costs a call of the WABA.
        if reading.kind is not Reading.SERVING:
            cloud = await number.cloud.number(number.state.phone_number_id)
            return self._of_a_silent_client(number, BothSides(cloud, reading))
        return self._of_queue(number, await number.onprem.callback_queue())

    def _of_queue(self, number: Number, queue: CallbackQueue) -> Evidence | CannotTell | Blocked:
        nodes = self._nodes(number, queue)
        if queue.nodes < nodes:  # what the silent one still holds would be lost
            why = f"only {queue.nodes} of the client's {nodes} nodes tell how many callbacks are queued"
            return self._until(number, PATIENCE_UNREAD, why, replace(queue, queued=None))
        if queue.queued == 0 and number.state.paused_at is None:
            return Evidence({"queued": 0})  # its senders go on, so there is nothing that could settle
        if queue.queued == 0:
            return self._stable(number, queue)
        if queue.queued is None:
            why, patience = "the client does not tell how many callbacks are queued", PATIENCE_UNREAD
        else:
            why, patience = f"{queue.queued} callbacks are still queued", number.drain.limit
        return self._until(number, patience, why, queue)

    def _nodes(self, number: Number, queue: CallbackQueue) -> int:
        """How many nodes have told of their queue at once, at any look."""
        return max(int(number.note_of(self.contract.name).get("nodes", 0)), queue.nodes)

    def _stable(self, number: Number, queue: CallbackQueue) -> Evidence | CannotTell | Blocked:
        """Empty: whether it was so at an earlier look, and nothing was posted since."""
        note, now = number.note_of(self.contract.name), number.time()
        empty = note.get("empty")
        if empty is not None and empty["posted"] == queue.posted:
            stable = now - datetime.fromisoformat(empty["at"])
            if stable >= STABLE:
                return Evidence({"queued": 0, "stable_s": round(stable.total_seconds(), 1)})
        else:
            empty = {"at": now.isoformat(), "posted": queue.posted}
        answer = self._until(number, number.drain.limit, "the queue is empty, and callbacks still come", queue)
        if not isinstance(answer, CannotTell):
            return answer
        why = "the queue is empty; a second look shows whether it stays so"
        at = max(datetime.fromisoformat(empty["at"]) + STABLE, now + timedelta(seconds=0.5))
        return CannotTell(at, why, {**(answer.note or {}), "empty": empty}, Party.US)

    def _until(
        self, number: Number, patience: timedelta, why: str, queue: CallbackQueue
    ) -> Evidence | CannotTell | Blocked:
        """Wait; at the limit as the rule says."""
        stop = Blocked(f"{why} after {patience.total_seconds():.0f} s", PAGE)
        answer = self.not_yet(number, patience, stop, 3, why, Party.CUSTOMER)
        if isinstance(answer, Blocked) and number.drain.goes_on:
            left: dict[str, Any] = {"queued": queue.queued, "left": queue.queued, "after_s": patience.total_seconds()}
            return Evidence(left | {"because": f"{stop.reason}; the admin file says go on"})
        if isinstance(answer, CannotTell) and (nodes := self._nodes(number, queue)) > 1:
            return replace(answer, note={**(answer.note or {}), "nodes": nodes})
        return answer

    def _of_a_silent_client(self, number: Number, both: BothSides) -> Evidence | CannotTell | Blocked:
        if _serves_no_more(both, number):
            return Evidence({"nothing_to_drain": both.kind})
        # One reading without an answer proves nothing: what the client still holds would be lost.
        why = f"On-Premises reads {both.kind}, so what it still holds cannot be read"
        stop = Blocked(f"{why} after {number.drain.limit.total_seconds():.0f} s", PAGE)
        return self.not_yet(number, number.drain.limit, stop, 3, why, Party.OPERATOR)
