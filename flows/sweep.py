"""Scheduled every minute: continues numbers whose wait is over or whose worker is gone, if nobody else does."""

from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed
from pydantic import Field

from flows.common import errors_as_failed_state, log_lines, open_flow_app
from flows.enter_code import overwrite_typed_codes
from flows.run_wave import number_task_runner
from migration.operations.housekeeping import destroy_what_is_due
from migration.waves.loop import NumberSelection, WaveLoop, numbers_to_sweep
from migration.waves.notices import PeopleTeller
from migration.waves.senders import keep_senders_informed
from migration.waves.watch import Look, look_at_standing

CONCURRENCY = 20


@flow(name="sweep", flow_run_name="sweep", retries=0, persist_result=False)
@errors_as_failed_state
async def sweep(
    patience_s: Annotated[float, Field(ge=0, le=600)] = 20.0,
) -> Any:
    """Go on with every number that is due and that nobody moves. What nobody has begun yet is left alone.

    Args:
        patience_s: Go on while a number comes due within so many seconds, from 0 to 600.

    """
    with suppress(Exception):  # the next sweep tries it again; numbers do not wait for it
        await overwrite_typed_codes()
    async with open_flow_app() as app:
        # A sweep begins neither a planned wave nor a number that is in no wave, and it opens no gate.
        due = await numbers_to_sweep(app)
        if due:  # first: none of them waits for a hook that hangs, or for clients that are gone
            run_one = await number_task_runner(app)
            loop = WaveLoop(app, run_one, concurrency=CONCURRENCY, patience=timedelta(seconds=patience_s))
            await loop.run(NumberSelection(only=set(due)))
        else:
            await keep_senders_informed(app)
        looked = await look_at_standing(app)
        await destroy_what_is_due(app)
        await PeopleTeller(app).finish()
        stopped = sum(look is Look.STOPPED for look in looked.values())
        found = f"; {stopped} that stood still have stopped serving" if stopped else ""
        if not due:
            return Completed(message=f"nothing was due{found}")
        message = f"{len(due)} numbers were due{found}"
        log_lines([message])
        return Completed(message=message)
