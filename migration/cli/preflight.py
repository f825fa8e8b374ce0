"""`cutover preflight`: check numbers against both sides. Changes nothing there; stores what the checks read."""

from collections.abc import Sequence
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.import_ import reason_of_choice
from migration.cli.options import Json
from migration.cli.output import count_text, print_json, print_line, print_table, progress_bar
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, operator_name
from migration.cli.target import select_target
from migration.fleet.census import CensusResult, NotLooked
from migration.fleet.importing import begin_migrations
from migration.operations.codes_needed import codes_needed, codes_needed_document, codes_needed_lines
from migration.operations.waves import reject_empty_wave
from migration.operations.wording import number_label
from migration.preflight.assessment import PreflightReport, run_preflight
from migration.preflight.check import Verdict
from migration.scrubbing.masking import masked
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
        begun = await begin_migrations(app, {}, operator_name(), lambda done, total: None)
    unread = [result for result in begun if isinstance(result.choice, NotLooked)]
    async with open_cli_app(dry_run=True) as app:
        selection, board = await select_target(app, name)
        if selection.wave is not None:
            reject_empty_wave(await app.queries.waves.get(selection.wave), board)
        with progress_bar("checking", as_json=as_json) as bar:
            task = bar.add_task("", total=len(board))
            reports = await run_preflight(app, board, lambda: bar.advance(task))
        needed = await codes_needed(app, board)
    failed = sum(1 for report in reports if report.verdict is Verdict.FAIL)
    unclear = sum(1 for report in reports if report.verdict is Verdict.NOT_LOOKED) + len(unread)
    rollbacks = summarize_reports(reports)
    if as_json:
        numbers = [_document(report) for report in reports]
        not_begun = [{"ref": result.ref, "because": reason_of_choice(result)} for result in unread]
        document = {"numbers": numbers, "failed": failed, "could_not_look": unclear, "ways_back": rollbacks}
        print_json(document | {"without_itinerary": not_begun} | codes_needed_document(needed))
    else:
        _print_reports(reports)
        _print_unread(unread)
        total = len(reports) + len(unread)
        through = f"{total - failed - unclear} of {count_text(total)} would go through; {failed} would stop"
        looked = f"; {unclear} could not be looked at" if unclear else ""
        print_line(f"{through}{looked}.")
        print_line(f"Ways back: {rollbacks}.")
        for line in codes_needed_lines(needed):
            print_line(line)
    return ExitCode.NOT_ALL_MOVED if failed or unclear else ExitCode.DONE


def summarize_reports(reports: Sequence[PreflightReport]) -> str:
    """How many numbers could go back, and why not, for whoever approves the wave."""
    return summarize_rollbacks(report.rollback for report in reports if report.rollback is not None)


def _print_unread(unread: Sequence[CensusResult]) -> None:
    """Imported numbers that still have no itinerary, because a side of them could not be looked at."""
    for result in unread:
        print_line(f"{result.ref} {masked(result.e164)}: could not look: {reason_of_choice(result)}")
    if unread:
        print_line("They have no itinerary yet; run `cutover preflight` again when that is mended.")


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
