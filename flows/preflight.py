"""Would this wave go through? Read only at every far side; what was seen is kept, and shown as a table."""

from typing import Any

from prefect import flow
from prefect.artifacts import acreate_table_artifact
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.common import errors_as_failed_state, log_lines, open_flow_app
from migration.operations.wording import number_label
from migration.preflight.assessment import run_preflight as look
from migration.preflight.check import Verdict


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
        reports = await look(app, board)
    rows = [
        {
            "number": number_label(one.position),
            "check": c.check,
            "verdict": c.verdict.value,
            "said": c.message,
            "runbook": c.runbook or "",
        }
        for one in reports
        for c in one.results
        if c.verdict is not Verdict.PASS or c.rollback is not None
    ]
    await acreate_table_artifact(rows, key="preflight", description=f"preflight of {wave or 'every number'}")
    failed = sum(1 for one in reports if one.verdict is Verdict.FAIL)
    said = f"{len(reports) - failed} of {len(reports)} numbers would go through"
    log_lines([said])
    return Completed(name="Completed" if not failed else "WouldStop", message=said)
