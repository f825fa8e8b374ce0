"""Stops a wave for good."""

from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.common import (
    Because,
    StartedBy,
    WaveName,
    check_parameters,
    errors_as_failed_state,
    log_lines,
    open_flow_app,
    who_started,
)
from migration.operations import waves
from migration.operations.wave_wording import wave_line


def _name() -> str:
    return f"stop wave {flow_run.parameters.get('wave', '?')}"


@flow(name="stop-wave", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def stop_wave(
    wave: WaveName,
    confirm: Annotated[str, Field(max_length=100)],
    because: Because,
    started_by: StartedBy = "",
) -> Any:
    """Stop a wave for good; a hold is what can be taken back. Numbers that have crossed go on to their end.

    Args:
        wave: The waves of the last `cutover deploy`.
        confirm: The name of the wave once more, because this cannot be taken back.
        because: Why; it goes into the history.
        started_by: Your name, for the record of who stopped the wave.

    """
    wrong = None if confirm == wave else f"Confirm is not {wave}; nothing was changed"
    check_parameters(wrong)
    async with open_flow_app() as app:
        row = await waves.stop_wave(app, wave, because, who_started(started_by))
        log_lines([wave_line(row)])
        return Completed(message=wave_line(row))
