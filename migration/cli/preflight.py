"""`cutover preflight`: would these numbers get through? Reads both sides, changes nothing there, keeps what it saw."""

from collections.abc import Sequence
from typing import Annotated

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    count_text,
    open_cli_app,
    operator_name,
    print_json,
    print_line,
    print_table,
    progress_bar,
    run_verb,
)
from migration.cli.run import select_target
from migration.fleet.importing import begin_migrations
from migration.operations.waves import reject_empty_wave
from migration.operations.wording import number_label
from migration.preflight.assessment import PreflightReport, run_preflight
from migration.preflight.check import Verdict
from migration.steps.rollback_options import summarize_rollbacks


def preflight_(
    what: Annotated[str | None, typer.Argument(help="A wave, or one number; without it, all.")] = None,
    as_json: Json = False,
) -> None:
    """Check every number against both sides. Nothing is changed at Meta, at an instance or at a partner."""
    run_verb(_preflight(what, as_json))


async def _preflight(what: str | None, as_json: bool) -> int:
    async with open_cli_app() as app:
        # An import that was cut off left numbers without a way; choosing it only reads the far sides.
        await begin_migrations(app, {}, operator_name(), lambda done, of: None)
    async with open_cli_app(dry_run=True) as app:
        picked, board = await select_target(app, what)
        if picked.wave is not None:
            reject_empty_wave(await app.queries.waves.get(picked.wave), board)
        with progress_bar("checking", as_json=as_json) as bar:
            task = bar.add_task("", total=len(board))
            reports = await run_preflight(app, board, lambda: bar.advance(task))
    failed = [one for one in reports if one.verdict is Verdict.FAIL]
    if as_json:
        numbers = [_told(one) for one in reports]
        print_json({"numbers": numbers, "failed": len(failed), "ways_back": summarize_reports(reports)})
    else:
        _print(reports)
        print_line(
            f"{len(reports) - len(failed)} of {count_text(len(reports))} would go through; {len(failed)} would stop."
        )
        print_line(f"Ways back: {summarize_reports(reports)}.")
    return ExitCode.NOT_ALL_MOVED if failed else ExitCode.DONE


def summarize_reports(reports: Sequence[PreflightReport]) -> str:
    """How many numbers could go back, for whoever approves the wave."""
    return summarize_rollbacks(report.rollback for report in reports if report.rollback is not None)


def _told(one: PreflightReport) -> dict[str, object]:
    checks = [{"check": c.check, "verdict": c.verdict, "said": c.message, "runbook": c.runbook} for c in one.results]
    return {"ref": one.position.ref, "itinerary": one.position.itinerary, "verdict": one.verdict, "checks": checks}


def _print(reports: tuple[PreflightReport, ...]) -> None:
    rows = []
    for one in reports:
        worth = [c for c in one.results if c.verdict is not Verdict.PASS]
        said = "; ".join(f"{c.check}: {c.message}" + (f" ({c.runbook})" if c.runbook else "") for c in worth)
        back = str(one.rollback or "")
        rows.append((number_label(one.position), one.position.itinerary, one.verdict.value, said or "-", back))
    if rows:
        print_table("", ("number", "itinerary", "verdict", "because", "way back"), rows)
