"""Tell the customer's senders to go on. Said until heard; the pause's own deadline is the net below it."""

from typing import ClassVar

from migration.step import Done, Evidence, Intent, Number, Probe
from migration.steps.switch_route import SwitchRoute


class ResumeSends(SwitchRoute):
    name: ClassVar[str] = "resume_sends"
    resumes: ClassVar[bool] = True

    async def probe(self, number: Number, intent: Intent | None) -> Probe:
        if intent is None and number.at.paused_at is None:
            return Done(Evidence({"told": "senders were not paused"}))
        return await super().probe(number, intent)
