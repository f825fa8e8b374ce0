"""Run the catalogue over numbers. Nothing is written anywhere but, in our own database, what was seen."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration.app import App
from migration.errors import CredentialsRefused, MigrationError
from migration.preflight.check import Check, Checked, Verdict
from migration.preflight.checks.catalogue import CHECKS
from migration.runtime.concurrency import gather_all
from migration.steps.protocol import Number
from migration.steps.rollback_options import PREFLIGHT
from state.ledger.attempts import BUDGET_CALLS, BUDGET_RESERVE
from state.rows import Position

AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Report:
    at: Position
    checked: tuple[Checked, ...]

    @property
    def verdict(self) -> Verdict:
        order = list(Verdict)
        return max((one.verdict for one in self.checked), key=order.index, default=Verdict.PASS)


async def preflight(
    app: App, numbers: Sequence[Position], tick: Callable[[], None] = lambda: None
) -> tuple[Report, ...]:
    """A report for each number that has not ended, in their order."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(at: Position) -> Report:
        async with room:
            view = await app.loader.of(at, await app.queries.now())
            checked = [found for check in CHECKS if (found := await _look(check, view)) is not None]
            checked.append(await _budget(app, at))
            for seen in (found.seen for found in checked if found.seen is not None):
                await app.ledger.facts.looked(at.migration_id, PREFLIGHT, seen)
        tick()
        return Report(at, tuple(checked))

    return await gather_all(one(at) for at in numbers if at.ended_at is None)


async def _look(check: Check, number: Number) -> Checked | None:
    try:
        return await check.look(number)
    except CredentialsRefused as exc:
        page = "runbooks/token-refused.md" if exc.on == "graph" else "runbooks/onprem-login.md"
        return Checked(check.name, Verdict.FAIL, str(exc), page)
    except MigrationError as exc:
        return Checked(check.name, Verdict.FAIL, str(exc), "runbooks/far-side-down.md")


async def _budget(app: App, at: Position) -> Checked:
    spent, until = await app.queries.budget_spent(at.phone_number_id, "register")
    left = BUDGET_CALLS - BUDGET_RESERVE - spent
    if left <= 0:
        said = f"{spent} register calls in 72 h; the last {BUDGET_RESERVE} are kept until {until:%Y-%m-%d %H:%M} UTC"
        return Checked("register budget", Verdict.FAIL, said, "runbooks/budget-spent.md")
    return Checked("register budget", Verdict.PASS, f"{spent} of {BUDGET_CALLS} spent in 72 h")
