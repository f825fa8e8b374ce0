"""Run the catalogue over numbers. Nothing is written anywhere but, in our own database, what was seen."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration.app import App
from migration.errors import CredentialsRefused, MigrationError
from migration.preflight.check import Check, CheckResult, Verdict
from migration.preflight.checks.catalogue import CHECKS
from migration.runtime.concurrency import gather_all
from migration.steps.number import Number
from migration.steps.rollback_options import PREFLIGHT
from state.ledger.attempts import BUDGET_CALLS, BUDGET_RESERVE
from state.rows import Position

AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class PreflightReport:
    position: Position
    results: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Verdict:
        order = list(Verdict)
        return max((one.verdict for one in self.results), key=order.index, default=Verdict.PASS)


async def run_preflight(
    app: App, numbers: Sequence[Position], tick: Callable[[], None] = lambda: None
) -> tuple[PreflightReport, ...]:
    """A report for each number that has not ended, in their order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(at: Position) -> PreflightReport:
        async with room:
            view = await app.loader.of(at, await app.queries.now())
            checked = [found for check in CHECKS if (found := await _look(check, view)) is not None]
            checked.append(await _budget(app, at))
            for seen in (found.facts for found in checked if found.facts is not None):
                await app.ledger.facts.looked(at.migration_id, PREFLIGHT, seen)
        tick()
        return PreflightReport(at, tuple(checked))

    return await gather_all(one(at) for at in numbers if at.ended_at is None)


async def _look(check: Check, number: Number) -> CheckResult | None:
    try:
        return await check.run(number)
    except CredentialsRefused as exc:
        page = "runbooks/token-refused.md" if exc.on == "graph" else "runbooks/onprem-login.md"
        return CheckResult(check.name, Verdict.FAIL, str(exc), page)
    except MigrationError as exc:
        return CheckResult(check.name, Verdict.FAIL, str(exc), "runbooks/far-side-down.md")


async def _budget(app: App, at: Position) -> CheckResult:
    spent, until = await app.queries.budget_spent(at.phone_number_id, "register")
    left = BUDGET_CALLS - BUDGET_RESERVE - spent
    if left <= 0:
        said = f"{spent} register calls in 72 h; the last {BUDGET_RESERVE} are kept until {until:%Y-%m-%d %H:%M} UTC"
        return CheckResult("register budget", Verdict.FAIL, said, "runbooks/budget-spent.md")
    return CheckResult("register budget", Verdict.PASS, f"{spent} of {BUDGET_CALLS} spent in 72 h")
