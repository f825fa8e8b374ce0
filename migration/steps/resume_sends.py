"""Tell the customer's senders to go on. Said until heard; the pause's own deadline is the net below it."""

from typing import ClassVar

from migration.steps.switch_route import SwitchRoute


class ResumeSends(SwitchRoute):
    name: ClassVar[str] = "resume_sends"
    resumes: ClassVar[bool] = True
