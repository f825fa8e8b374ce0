"""Runs all checks for numbers. Writes nothing but the facts of the checks, to our own database."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migration.app import App
from migration.engine.barrier import INTERNAL_ERROR_PAGE, concerns_every_number, log_unexpected, reason_of
from migration.errors import CredentialsRefused, MigrationError, Transient
from migration.preflight.check import Check, CheckResult, Verdict
from migration.preflight.checks.catalogue import CHECKS
from migration.preflight.checks.token import TokenCheck
from migration.preflight.clear_addresses import check_clear_addresses
from migration.runtime.concurrency import gather_all
from migration.steps.number import Number
from migration.steps.rollback_options import PREFLIGHT, RollbackOption
from state.ledger.counted_calls import BUDGET_CALLS, BUDGET_RESERVE
from state.rows import Position

MAX_CONCURRENT = 10


@dataclass(frozen=True, slots=True)
class PreflightReport:
    position: Position
    results: tuple[CheckResult, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all checks."""
        order = list(Verdict)
        return max((result.verdict for result in self.results), key=order.index, default=Verdict.PASS)

    @property
    def rollback(self) -> RollbackOption | None:
        """The way back to On-Premises; None if its check could not read both sides."""
        return next((result.rollback for result in self.results if result.rollback is not None), None)


async def run_preflight(
    app: App, numbers: Sequence[Position], tick: Callable[[], None] = lambda: None
) -> tuple[PreflightReport, ...]:
    """A report for each number that has not ended, in the same order. `tick` is called after each number."""
    slots = asyncio.Semaphore(MAX_CONCURRENT)

    async def report_on(position: Position) -> PreflightReport:
        async with slots:
            report = await _check_number(app, position)
        tick()
        return report

    return await gather_all(report_on(position) for position in numbers if position.ended_at is None)


async def _check_number(app: App, position: Position) -> PreflightReport:
    clear = check_clear_addresses(app.admin, app.settings, position)
    if clear is not None and clear.verdict is Verdict.FAIL:
        return PreflightReport(position, (clear,))
    try:
        number = await app.loader.load(position, await app.queries.now())
    except Exception as exc:  # noqa: BLE001  the barrier: it never ends the preflight of another number
        return PreflightReport(position, (_unexpected("secrets and settings", position.ref, exc),))
    results = [result for check in CHECKS if (result := await _run_check(check, number)) is not None]
    results += [await _check_budget(app, position), *([clear] if clear is not None else [])]
    for result in results:
        if result.facts is not None:
            await app.ledger.findings.record_note(position.migration_id, PREFLIGHT, result.facts)
    return PreflightReport(position, tuple(results))


async def _run_check(check: Check, number: Number) -> CheckResult | None:
    """A check that raises has failed, but for one whose reading failed: it says nothing of the number."""
    try:
        return await check.run(number)
    except CredentialsRefused as exc:
        if exc.refused_by == "onprem":
            return CheckResult(check.name, Verdict.FAIL, str(exc), "runbooks/onprem-login.md")
        # The check of the token fails for a token that Graph does not accept. Of the number nothing was seen.
        verdict = Verdict.FAIL if check.name == TokenCheck.name else Verdict.NOT_LOOKED
        return CheckResult(check.name, verdict, str(exc), "runbooks/token-refused.md")
    except Transient as exc:
        return CheckResult(check.name, Verdict.NOT_LOOKED, str(exc), "runbooks/far-side-down.md")
    except MigrationError as exc:
        return CheckResult(check.name, Verdict.FAIL, str(exc), "runbooks/far-side-down.md")
    except Exception as exc:  # noqa: BLE001  the barrier: it never ends the preflight of another number
        return _unexpected(check.name, number.state.ref, exc)


def _unexpected(name: str, ref: str, exc: Exception) -> CheckResult:
    """What nobody expected fails this number's check, and ends the preflight of no other number."""
    if concerns_every_number(exc):
        raise exc
    reason = reason_of(exc, name)
    log_unexpected(ref, reason, exc)
    return CheckResult(name, Verdict.FAIL, reason, INTERNAL_ERROR_PAGE)


async def _check_budget(app: App, position: Position) -> CheckResult:
    """Whether a `register` call is left that is not kept in reserve."""
    spent, until = await app.queries.gate.budget_spent(position.phone_number_id, "register")
    if BUDGET_CALLS - BUDGET_RESERVE - spent <= 0:
        message = f"{spent} register calls in 72 h; the last {BUDGET_RESERVE} are kept until {until:%Y-%m-%d %H:%M} UTC"
        return CheckResult("register budget", Verdict.FAIL, message, "runbooks/budget-spent.md")
    return CheckResult("register budget", Verdict.PASS, f"{spent} of {BUDGET_CALLS} spent in 72 h")
