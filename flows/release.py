"""Lets a wave that is held or halted go on, or lets more of it cross."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed

from flows.common import StartedBy, WaveName, errors_as_failed_state, log_lines, open_flow_app, who_started
from migration.operations.wave_wording import wave_line
from migration.operations.waves import release_wave


def _name() -> str:
    return f"release wave {flow_run.parameters.get('wave', '?')}"


@flow(name="release", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def release(wave: WaveName, only_canary: bool = False, started_by: StartedBy = "") -> Any:
    """Let a wave cross: all of it, or only its canary. A release of less than before narrows it.

    Args:
        wave: The waves of the last `cutover deploy`.
        only_canary: Only the few numbers that go first.
        started_by: Your name, for the record of who released the wave.

    """
    async with open_flow_app() as app:
        row = await release_wave(app, wave, canary=only_canary, only=(), by=who_started(started_by))
        log_lines([wave_line(row)])
        return Completed(message=wave_line(row))
