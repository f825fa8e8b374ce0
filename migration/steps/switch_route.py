"""Tell the customer's senders where the number answers now.

The point of no return is passed, so the announcement is repeated until the hook confirms it.
"""

from datetime import timedelta
from typing import ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Blocked, CannotTell, Done, Draft, Evidence, Intent, NotDone, Probe
from migration.steps.protocol import StepContract
from migration.steps.traffic import announce, announcement, ask_again
from state.enums import Promise, Side


class SwitchRoute:
    contract: ClassVar[StepContract] = StepContract(
        name="switch_route", promise=Promise.REPEATABLE, settle_for=timedelta(days=7), notifies_senders=True
    )
    resumes: ClassVar[bool] = False

    def __init__(self, *, goes_to: Side | None = Side.CLOUD) -> None:
        """`goes_to` None: the side where it serves, announced only if its senders were sent elsewhere before."""
        self._goes_to = goes_to

    def _target(self, number: Number) -> Side:
        if self._goes_to is not None:
            return self._goes_to
        return Side.CLOUD if number.state.side is Side.CLOUD else Side.ON_PREMISES

    async def check(self, number: Number) -> None | Blocked:
        return None

    def _why_not_needed(self, number: Number) -> str | None:
        """Why no announcement is needed, or None."""
        if self._goes_to is None and number.state.route in (None, self._target(number)):
            return "senders were not told to send anywhere else"
        return None

    async def prepare(self, number: Number) -> Draft:
        target = self._target(number)
        came_from = Side.ON_PREMISES if target is Side.CLOUD else Side.CLOUD
        return announcement(number, self.contract.name, came_from, target)

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if intent is None and (reason := self._why_not_needed(number)) is not None:
            return Done(Evidence({"told": reason}))
        if number.hooks is None:
            if self.resumes and number.state.paused_at is not None:
                return NotDone({"why": "a hook has paused its senders"})  # `check` says what is missing
            return Done(Evidence({"told": "no hook"}, resumed=self.resumes))
        if intent is not None:
            match await ask_again(number, intent, number.note_of(self.contract.name)):
                case Evidence() as evidence:
                    return Done(self._confirmed(evidence))
                case CannotTell() as draining:
                    return draining
        return NotDone({"why": "the same announcement under the same key is harmless"})

    async def apply(self, number: Number, intent: Intent) -> Evidence | CannotTell:
        answer = await announce(number, intent, {})
        return self._confirmed(answer) if isinstance(answer, Evidence) else answer

    def _confirmed(self, evidence: Evidence) -> Evidence:
        return Evidence(evidence.facts, outbox_key=evidence.outbox_key, resumed=self.resumes)
