"""Ask the customer's senders to stop sending to this number until a deadline. A pause is a lease.

Before the point of no return the hook may refuse; then nothing is moved. Taken back by: `resume_sends`.
"""

from datetime import datetime, timedelta
from typing import ClassVar

from migration.errors import Transient
from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.pause_rules import FEED_NOTICE, PAUSE_LEASE, may_be_dark
from migration.steps.protocol import StepContract
from migration.steps.traffic import announce, announcement, ask_again
from state.enums import Party, Promise, Side

ADVISORY_TRIES = 6  # the pauses between them are 2, 4, 8, 16 and 32 s: a minute together


class PauseSends:
    contract: ClassVar[StepContract] = StepContract(
        name="pause_sends",
        promise=Promise.REPEATABLE,
        settle_for=timedelta(minutes=30),
        # Renewed well before the lease of the pause ends, so that register never meets senders that have resumed.
        fresh_for=PAUSE_LEASE - timedelta(seconds=90),
        notifies_senders=True,
        # Under the old key a hook would keep the deadline of the announcement whose answer was lost.
        unsent_needs_new_key=True,
    )

    def __init__(self, *, goes_to: Side = Side.CLOUD) -> None:
        self._goes_to = goes_to

    async def check(self, number: Number) -> None | Blocked:
        if number.hooks is None and number.state.hook_required:
            return Blocked("the customer's traffic hook is required and none is set up", "runbooks/traffic-hook.md")
        return None

    async def prepare(self, number: Number) -> Draft:
        came_from = Side.ON_PREMISES if self._goes_to is Side.CLOUD else Side.CLOUD
        return announcement(number, self.contract.name, came_from, self._goes_to)

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if number.hooks is None:
            return _shown_in_feed(number) if number.has_router else Done(Evidence({"told": "no hook"}))
        if intent is not None:
            match await ask_again(number, intent, number.note_of(self.contract.name)):
                case Evidence() as evidence:
                    return Done(_paused(evidence, intent))
                case CannotTell() as draining:
                    return draining
        return NotDone({"why": "the same announcement under the same key is harmless"})

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell:
        """An advisory hook that does not answer ADVISORY_TRIES times keeps its number from nothing."""
        try:
            answer = await announce(number, intent, {})
        except Transient as exc:
            waits = number.state.hook_required or may_be_dark(number.state)
            if waits or number.state.tries + 1 < ADVISORY_TRIES:
                raise
            return Evidence({"told": f"nobody: the hook is advisory and does not answer ({exc})"})
        return _paused(answer, intent) if isinstance(answer, Evidence) else answer


def _shown_in_feed(number: Number) -> Done | CannotTell:
    """Held in the feed for FEED_NOTICE, so that a router which only asks has stopped before the number crosses.

    Its deadline counts from the beginning. A notice that was left standing until then is given anew, and one that was
    interrupted: where the gate was closed meanwhile, the feed has said that sends are open.
    """
    noted = number.note_of("pause_sends").get("shown") if number.state.waiting_on is Party.US else None
    since = datetime.fromisoformat(noted) if noted is not None else number.now
    if number.now - since >= PAUSE_LEASE:
        since = number.now
    if number.now - since >= FEED_NOTICE:
        return Done(Evidence({"told": "no hook; held in the routes feed"}, fresh_from=since))
    # Each notice is told with its time: what repeats the last reason is no change of the number, and the feed would
    # not be read anew.
    why = f"the routes feed says since {since:%H:%M:%S} UTC that sends are held"
    return CannotTell(since + FEED_NOTICE, why, {"shown": since.isoformat()}, on=Party.US)


def _paused(evidence: Evidence, intent: Intent) -> Evidence:
    """Fresh from when it was sent, not from when the last sender had drained: its deadline counts from there."""
    sent_at = datetime.fromisoformat(intent.facts["body"]["deadline"]) - PAUSE_LEASE
    return Evidence(evidence.facts, outbox_key=evidence.outbox_key, paused=True, fresh_from=sent_at)
