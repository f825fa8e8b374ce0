"""`cutover preflight`: would these numbers get through? Reads both sides, changes nothing there, keeps what it saw."""

from typing import Annotated

import typer

from migration.cli.console import Exit, Json, app_of, give, many, progress, run, say, table, who_asks
from migration.cli.run import chosen
from migration.fleet.importing import begin_migrations
from migration.operations.waves import refuse_empty
from migration.operations.wording import who
from migration.preflight.assessment import Report, preflight
from migration.preflight.check import Verdict
from migration.preflight.checks.way_back import RollbackCheck
from migration.steps.rollback_options import RollbackOption, RollbackState, summarize_rollbacks


def preflight_(
    what: Annotated[str | None, typer.Argument(help="A wave, or one number; without it, all.")] = None,
    as_json: Json = False,
) -> None:
    """Check every number against both sides. Nothing is changed at Meta, at an instance or at a partner."""
    run(_preflight(what, as_json))


async def _preflight(what: str | None, as_json: bool) -> int:
    async with app_of() as app:
        # An import that was cut off left numbers without a way; choosing it only reads the far sides.
        await begin_migrations(app, {}, who_asks(), lambda done, of: None)
    async with app_of(dry_run=True) as app:
        picked, board = await chosen(app, what)
        if picked.wave is not None:
            refuse_empty(await app.queries.wave(picked.wave), board)
        with progress("checking", as_json=as_json) as bar:
            task = bar.add_task("", total=len(board))
            reports = await preflight(app, board, lambda: bar.advance(task))
    failed = [one for one in reports if one.verdict is Verdict.FAIL]
    if as_json:
        numbers = [_told(one) for one in reports]
        give({"numbers": numbers, "failed": len(failed), "ways_back": _ways_back(reports)})
    else:
        _print(reports)
        say(f"{len(reports) - len(failed)} of {many(len(reports))} would go through; {len(failed)} would stop.")
        say(f"Ways back: {_ways_back(reports)}.")
    return Exit.NOT_ALL_MOVED if failed else Exit.DONE


def _ways_back(reports: tuple[Report, ...]) -> str:
    """How many numbers could go back, for whoever approves the wave."""
    said = [c.said.split(": ", 1) for one in reports for c in one.checked if c.check == RollbackCheck.name]
    return summarize_rollbacks(RollbackOption(RollbackState(way), reason) for way, reason in said)


def _told(one: Report) -> dict[str, object]:
    checks = [{"check": c.check, "verdict": c.verdict, "said": c.said, "runbook": c.runbook} for c in one.checked]
    return {"ref": one.at.ref, "itinerary": one.at.itinerary, "verdict": one.verdict, "checks": checks}


def _print(reports: tuple[Report, ...]) -> None:
    rows = []
    for one in reports:
        worth = [c for c in one.checked if c.verdict is not Verdict.PASS]
        said = "; ".join(f"{c.check}: {c.said}" + (f" ({c.runbook})" if c.runbook else "") for c in worth)
        back = next((c.said for c in one.checked if c.check == RollbackCheck.name), "")
        rows.append((who(one.at), one.at.itinerary, one.verdict.value, said or "-", back))
    if rows:
        table("", ("number", "itinerary", "verdict", "because", "way back"), rows)
