"""Tell the customer's senders to go on. Repeated until confirmed; at the latest the pause's own deadline ends it."""

from dataclasses import replace
from typing import ClassVar

from migration.steps.number import Number
from migration.steps.protocol import StepContract
from migration.steps.switch_route import SwitchRoute


class ResumeSends(SwitchRoute):
    contract: ClassVar[StepContract] = replace(SwitchRoute.contract, name="resume_sends")
    resumes: ClassVar[bool] = True

    def _why_not_needed(self, number: Number) -> str | None:
        return "senders were not paused" if number.state.paused_at is None else None
