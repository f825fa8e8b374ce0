"""`cutover preflight`: check numbers against both sides. Changes nothing there; stores what the checks read."""

from collections.abc import Sequence
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode, run_verb
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table, progress_bar
from migration.cli.session import open_cli_app, operator_name
from migration.cli.target import select_target
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


async def _preflight(name: str | None, as_json: bool) -> int:
    async with open_cli_app() as app:
        # An import that was interrupted left numbers without an itinerary. Choosing it only reads both sides.
        await begin_migrations(app, {}, operator_name(), lambda done, total: None)
    async with open_cli_app(dry_run=True) as app:
        selection, board = await select_target(app, name)
        if selection.wave is not None:
            reject_empty_wave(await app.queries.waves.get(selection.wave), board)
        with progress_bar("checking", as_json=as_json) as bar:
            task = bar.add_task("", total=len(board))
            reports = await run_preflight(app, board, lambda: bar.advance(task))
    failed = sum(1 for report in reports if report.verdict is Verdict.FAIL)
    rollbacks = summarize_reports(reports)
    if as_json:
        print_json({"numbers": [_document(report) for report in reports], "failed": failed, "ways_back": rollbacks})
    else:
        _print_reports(reports)
        print_line(f"{len(reports) - failed} of {count_text(len(reports))} would go through; {failed} would stop.")
        print_line(f"Ways back: {rollbacks}.")
    return ExitCode.NOT_ALL_MOVED if failed else ExitCode.DONE


def summarize_reports(reports: Sequence[PreflightReport]) -> str:
    """How many numbers could go back, and why not, for whoever approves the wave."""
    return summarize_rollbacks(report.rollback for report in reports if report.rollback is not None)


def _document(report: PreflightReport) -> dict[str, object]:
    checks = [
        {"check": result.check, "verdict": result.verdict, "said": result.message, "runbook": result.runbook}
        for result in report.results
    ]
    position = report.position
    return {"ref": position.ref, "itinerary": position.itinerary, "verdict": report.verdict, "checks": checks}


def _print_reports(reports: Sequence[PreflightReport]) -> None:
    rows = [
        (
            number_label(report.position),
            report.position.itinerary,
            report.verdict.value,
            _reasons(report) or "-",
            str(report.rollback or ""),
        )
        for report in reports
    ]
    if rows:
        print_table("", ("number", "itinerary", "verdict", "because", "way back"), rows)


def _reasons(report: PreflightReport) -> str:
    """What the checks that did not pass say."""
    results = [result for result in report.results if result.verdict is not Verdict.PASS]
    return "; ".join(
        f"{result.check}: {result.message}" + (f" ({result.runbook})" if result.runbook else "") for result in results
    )
