"""Is it known that the customer's business has accepted Meta's Terms?"""

from typing import ClassVar

from migration.engine.refusals import TERMS_PAGE
from migration.preflight.check import CheckResult, Verdict
from migration.steps.number import Number
from migration.steps.register_needs import STOPS_FIRST, terms_problem
from state.enums import Side


class TermsCheck:
    name: ClassVar[str] = "Meta's Terms"

    async def run(self, number: Number) -> CheckResult | None:
        state = number.state
        if state.itinerary not in STOPS_FIRST or state.side is not Side.ON_PREMISES:
            return None
        if state.terms_known:
            return CheckResult(self.name, Verdict.PASS, "a register has shown it, or a person has stated it")
        message = f"it waits before its client is stopped: {terms_problem(state)}"
        return CheckResult(self.name, Verdict.WARN, message, TERMS_PAGE)
