"""Moves a part of a wave: one Prefect task per number; its steps are not tasks of their own."""

from datetime import timedelta
from typing import Annotated, Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import Field

from flows.artifacts import WaveArtifacts
from flows.common import StartedBy, WaveName, errors_as_failed_state, log_lines, open_flow_app, run_in_task, who_started
from migration.app import App
from migration.errors import OperationRefused
from migration.operations.proof_wording import not_proved
from migration.operations.waves import begin_wave
from migration.waves.loop import MAX_NUMBERS_PER_RUN, NumberSelection, RunOne, WaveLoop

# Longer than any lease (45 s while reading, 80 s for `register`), so that a run outlasts the leases of a killed run.
PATIENCE_S = 90.0
# How long people take to look at a canary. A release that comes later needs a new run.
GATE_MIN = 60
DAY_MIN = 1440


def _name() -> str:
    parameters = flow_run.parameters
    parts = parameters.get("parts", 1)
    part = f" part {parameters.get('part', 0) + 1} of {parts}" if parts > 1 else ""
    return f"wave {parameters.get('wave', '?')}{part}"


@flow(name="run-wave", flow_run_name=_name, retries=0, persist_result=False)
@errors_as_failed_state
async def run_wave(
    wave: WaveName,
    part: Annotated[int, Field(ge=0)] = 0,
    parts: Annotated[int, Field(ge=1)] = 1,
    patience_s: Annotated[float, Field(ge=0, le=3600)] = PATIENCE_S,
    gate_min: Annotated[int, Field(ge=0, le=DAY_MIN)] = GATE_MIN,
    started_by: StartedBy = "",
) -> Any:
    """Move the numbers of a wave as far as they can go now. Safe to run again at any time, next to other runs of it.

    Args:
        wave: Name of the wave.
        part: Which part of the wave, from 0.
        parts: Into how many runs the wave is cut; a run may have 500 numbers.
        patience_s: Go on while a number comes due within so many seconds, from 0 to 3600.
        gate_min: Stay while numbers are held at their gate, from 0 to 1440 minutes, to hear a release within seconds.
        started_by: Your name, for the record of who began the wave.

    """
    async with open_flow_app() as app:
        await _check_parts(app, wave, part, parts)
        row = await begin_wave(app, wave, who_started(started_by))
        async with WaveArtifacts(app, wave, row.id) as artifacts:
            loop = WaveLoop(
                app,
                await number_task_runner(app, wave),
                concurrency=row.concurrency,
                patience=timedelta(seconds=patience_s),
                gate_patience=timedelta(minutes=gate_min),
            )
            await loop.run(NumberSelection(wave=wave, part=part, parts=parts), artifacts.update_progress)
            board = await artifacts.finish()
    live = sum(1 for position in board if position.ended_at is None)
    unproved = len(not_proved(board))
    message = f"{len(board) - live} of {len(board)} numbers are at their end"
    log_lines([message, *([f"{unproved} of them are registered and not proved to work"] if unproved else [])])
    return Completed(name="Unfinished" if live else "Completed", message=message)


async def _check_parts(app: App, wave: str, part: int, parts: int) -> None:
    """Check the parameters together; a form can check only each one alone. Raises OperationRefused, NotFound."""
    row = await app.queries.waves.get(wave)
    if part >= parts:
        raise OperationRefused(f"there is no part {part} of {parts}: parts are counted from 0; nothing was begun")
    if row.numbers / parts > MAX_NUMBERS_PER_RUN:
        needed = -(-row.numbers // MAX_NUMBERS_PER_RUN)
        advice = f"ask for {needed} parts or more"
        raise OperationRefused(f"wave {wave} has {row.numbers} numbers: {advice}; nothing was begun")


async def number_task_runner(app: App, wave: str | None = None) -> RunOne:
    """`run_one` for a wave loop: runs each number in a task that is named by the number's reference."""
    board = await app.queries.positions.board(wave=wave)
    refs = {position.migration_id: position.ref for position in board}
    return lambda migration_id: run_in_task(
        "move", refs.get(migration_id, "?"), lambda: app.runner.run_one(migration_id)
    )
