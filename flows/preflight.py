"""Checks the numbers of a wave against both sides, and shows the results as a table. Changes nothing on either side."""

from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.common import errors_as_failed_state, log_lines, open_flow_app
from migration.operations.wording import number_label
from migration.preflight.assessment import run_preflight
from migration.preflight.check import Verdict
from migration.scrubbing.rendering import for_markdown


def _name() -> str:
    return f"preflight {flow_run.parameters.get('wave') or 'all'}"


@flow(name="preflight", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def preflight(wave: str = "") -> Any:
    """Check every number of a wave against both sides.

    Args:
        wave: Name of the wave; empty for every number.

    """
    async with open_flow_app(dry_run=True) as app:
        if wave:
            await app.queries.waves.get(wave)  # raises NotFound
        board = await app.queries.positions.board(wave=wave or None)
        reports = await run_preflight(app, board)
    rows = [
        {
            "number": number_label(report.position),
            "check": result.check,
            "verdict": result.verdict.value,
            "said": for_markdown(result.message),
            "runbook": result.runbook or "",
        }
        for report in reports
        for result in report.results
        if result.verdict is not Verdict.PASS or result.rollback is not None
    ]
    await acreate_table_artifact(
        rows, key="preflight", description=f"preflight of {for_markdown(wave or 'every number')}"
    )
    failed = sum(1 for report in reports if report.verdict in (Verdict.FAIL, Verdict.NOT_LOOKED))
    message = f"{len(reports) - failed} of {len(reports)} numbers would go through"
    log_lines([message])
    return Completed(name="WouldStop" if failed else "Completed", message=message)
