"""The calls of Graph that the rest of a cutover needs: no number crosses without them.

https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from migration.engine.calls_needed import NEEDS, TO_SETTLE
from migration.engine.step_run import StepRun
from migration.steps.outcomes import Waiting
from state.enums import Party, Side
from state.ledger.call_budgets import BudgetKey, CrossingRefused
from state.rows import Lease

# Calls are kept a little longer than the cutover may take.
MARGIN = timedelta(minutes=2)


class Budgets(Protocol):
    async def admit(self, lease: Lease, key: BudgetKey, *, needs: int, lasts: timedelta) -> CrossingRefused | None: ...


class CallAdmission:
    """`has_plenty`: by what this worker knows, the calls of this budget are enough for all numbers at once."""

    def __init__(self, budgets: Budgets, has_plenty: Callable[[BudgetKey], bool]) -> None:
        self._budgets = budgets
        self._has_plenty = has_plenty

    async def why_wait(self, run: StepRun) -> Waiting | None:
        """Why the number may not cross now for want of calls; None where it may, and its calls are kept for it."""
        state = run.number.state
        if not run.entry.gated or state.dark_by_us or _has_its_calls(run):
            return None
        if state.side is Side.NEITHER and run.contract.moves_to is not Side.CLOUD:
            return None  # it serves nobody before its call to Cloud, so what comes before may take its time
        key = BudgetKey(state.app_id, state.waba_id)
        if self._has_plenty(key):
            return None
        needs = NEEDS[run.itinerary.name] + TO_SETTLE
        refused = await self._budgets.admit(run.lease, key, needs=needs, lasts=run.entry.fits_in + MARGIN)
        return None if refused is None else Waiting(refused.until, Party.META, refused.reason, for_calls=True)


def _has_its_calls(run: StepRun) -> bool:
    until = run.number.state.calls_kept_until
    return until is not None and until > run.number.now
