"""Tell the customer's senders to go on. Repeated until confirmed; at the latest the pause's own deadline ends it."""

from dataclasses import replace
from typing import ClassVar

from migration.steps.number import Number
from migration.steps.outcomes import Blocked
from migration.steps.protocol import StepContract
from migration.steps.switch_route import SwitchRoute


class ResumeSends(SwitchRoute):
    contract: ClassVar[StepContract] = replace(SwitchRoute.contract, name="resume_sends")
    resumes: ClassVar[bool] = True

    async def check(self, number: Number) -> None | Blocked:
        """Senders that a hook has paused are not told by nobody that they may go on."""
        if number.hooks is None and number.state.paused_at is not None:
            return Blocked("its senders were paused by a hook that is not set up any more", "runbooks/traffic-hook.md")
        return None

    def _why_not_needed(self, number: Number) -> str | None:
        return "senders were not paused" if number.state.paused_at is None else None
