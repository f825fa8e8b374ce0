"""Scheduled: waits that are over, leases that ran out. The net under every other way of moving numbers."""

from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from flows.common import log, opened
from flows.run_wave import mover_in_tasks
from migration.waves.loop import MOST_A_RUN, Slice, WaveLoop

AT_ONCE = 20


@flow(name="sweep", flow_run_name="sweep", retries=0, persist_result=False)
async def sweep(
    patience_s: Annotated[float, Field(ge=0, le=600)] = 20.0,
) -> Any:
    """Take up every number that is due and that nobody holds.

    Args:
        patience_s: Go on while a number comes due within so many seconds, from 0 to 600.

    """
    async with opened() as app:
        # Waves that were planned for later are not begun by a sweep; numbers at their gates stay there.
        due = (await app.queries.due(begun=True))[:MOST_A_RUN]
        if not due:
            return Completed(message="nothing was due")
        loop = WaveLoop(app, await mover_in_tasks(app), concurrency=AT_ONCE, patience=timedelta(seconds=patience_s))
        await loop.run(Slice(only=set(due)))
        said = f"{len(due)} numbers were due"
        log([said])
        return Completed(message=said)
