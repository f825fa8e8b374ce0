"""Holds a wave: none of its numbers passes the gate until it is released."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.common import Because, StartedBy, WaveName, errors_as_failed_state, log_lines, open_flow_app, who_started
from migration.operations.wave_wording import wave_line
from migration.operations.waves import hold_wave


def _name() -> str:
    return f"hold wave {flow_run.parameters.get('wave', '?')}"


@flow(name="hold", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def hold(wave: WaveName, because: Because, started_by: StartedBy = "") -> Any:
    """Hold a wave before its gate. Numbers that have crossed go on, because holding them would keep them dark.

    Args:
        wave: The waves of the last `cutover deploy`.
        because: Why; it is shown wherever the hold is.
        started_by: Your name, for the record of who held the wave.

    """
    async with open_flow_app() as app:
        row = await hold_wave(app, wave, because, who_started(started_by))
        log_lines([wave_line(row)])
        return Completed(message=wave_line(row))
