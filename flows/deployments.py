"""Registers the flows with a Prefect server: names, schedules, limits. Run as `python -m flows.deployments`.

The data below becomes a `prefect.yaml` in the home folder, and Prefect's own `prefect deploy --all` applies that file.
It contains nothing of a flow run's environment: settings and keys come from the worker that starts the run.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from prefect import __version__ as prefect_version
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, StateType
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from flows.automations import replace_automation
from flows.common import open_flow_app
from flows.waves_in_forms import offer_waves
from migration.app import EXPECTED_ERRORS
from migration.operations.wave_wording import ENDED_STATES
from migration.runtime.process_tree import safe_python
from migration.scrubbing.texts import once_more
from migration.settings import read_settings
from migration.steps.pause_rules import SWEEP_EVERY
from migration.waves.schedule import WAVE_SLUG, ScheduledRun, late_runs, scheduled_runs

POOL = "cutover"
# What every deployment was called before each was named after its flow, which says what it does.
FORMER_NAME = "cutover"
SWEEP_EVERY_S = int(SWEEP_EVERY.total_seconds())
DEPLOY_TIMEOUT_S = 240
UNFINISHED = [state for state in StateType if state not in TERMINAL_STATES]


class CannotDeploy(Exception):
    """One line that says what does not answer or was refused."""


DEPLOY_ERRORS: tuple[type[Exception], ...] = (CannotDeploy, *EXPECTED_ERRORS)


# Flow -> entrypoint and limit of concurrent runs. The entrypoint is a module path, which works in a wheel and in a
# checkout. run-wave has no limit: its parts share the work, and two runs never move one number at the same time.
# enter-code has none: a person waits for it.
FLOWS: Mapping[str, tuple[str, tuple[int, str] | None]] = {
    "migrate-number": ("flows.migrate_number.migrate_number", (10, "ENQUEUE")),
    "run-wave": ("flows.run_wave.run_wave", None),
    "sweep": ("flows.sweep.sweep", (1, "CANCEL_NEW")),
    "enter-code": ("flows.enter_code.enter_code", None),
    "back-to-onprem": ("flows.back_to_onprem.back_to_onprem", (10, "ENQUEUE")),
    "preflight": ("flows.preflight.preflight", (1, "ENQUEUE")),
    "hold": ("flows.hold.hold", None),
    "release": ("flows.release.release", None),
    "stop-wave": ("flows.stop_wave.stop_wave", None),
}


def deployment_name(flow: str) -> str:
    """`<flow>/<deployment>`, as Prefect's API and command line want it."""
    return f"{flow}/{flow}"


def prefect_yaml(runs: Sequence[ScheduledRun]) -> dict[str, Any]:
    """The content of prefect.yaml."""
    schedules = {
        "sweep": [{"interval": SWEEP_EVERY_S, "slug": "sweep"}],
        "run-wave": [_one_time_schedule(run) for run in runs],
    }
    return {
        "prefect-version": prefect_version,
        "name": "cutover",
        "pull": [],  # the flows are installed where the worker runs
        "deployments": [_deployment(flow, schedules.get(flow, [])) for flow in FLOWS],
    }


def _deployment(flow: str, schedules: list[dict[str, Any]]) -> dict[str, Any]:
    entrypoint, limit = FLOWS[flow]
    deployment: dict[str, Any] = {
        "name": flow,
        "entrypoint": entrypoint,
        "tags": ["cutover"],
        "enforce_parameter_schema": True,
        "work_pool": {"name": POOL, "job_variables": {}},
        "schedules": schedules,
        "pull": [],
    }
    if limit is not None:
        deployment["concurrency_limit"] = {"limit": limit[0], "collision_strategy": limit[1]}
    return deployment


def _one_time_schedule(run: ScheduledRun) -> dict[str, Any]:
    """In UTC: a local time may come twice in a night, or never. The wave's own time is part of the schedule's name."""
    return {
        "rrule": f"DTSTART:{run.at.astimezone(UTC):%Y%m%dT%H%M%S}\nRRULE:FREQ=DAILY;COUNT=1",
        "timezone": "UTC",
        "slug": run.slug,
        "parameters": _parameters(run),
    }


def _parameters(run: ScheduledRun) -> dict[str, Any]:
    return {"wave": run.wave, "part": run.part, "parts": run.parts}


def write_prefect_file(runs: Sequence[ScheduledRun], home: Path) -> Path:
    path = home / "prefect.yaml"
    head = "# Made by `cutover deploy`, which writes it anew each time. It holds no secret.\n"
    path.write_text(head + yaml.safe_dump(prefect_yaml(runs), sort_keys=False))
    return path


async def create_work_pool() -> bool:
    """Create the process work pool if it does not exist. Returns whether it was created. Raises CannotDeploy."""
    async with get_client() as client:
        error = await client.api_healthcheck()
        if error is not None:
            raise CannotDeploy(
                f"the Prefect API at {client.api_url} does not answer ({type(error).__name__}); start `prefect server "
                "start`, or set PREFECT_API_URL to where it is"
            )
        try:
            await client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            pool = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
            try:
                await client.create_work_pool(pool)
            except ObjectAlreadyExists:
                return False  # another process has just created it
            return True
    return False


def run_prefect_deploy(path: Path) -> None:
    """Apply the file with Prefect's own command. Raises CannotDeploy with the last line that it printed."""
    command = [sys.executable, "-P", "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    try:
        process = subprocess.run(  # noqa: S603  our own interpreter; nothing that a person typed
            command,
            env=safe_python(os.environ),
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=DEPLOY_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise CannotDeploy(f"the Prefect API did not take {path} within {DEPLOY_TIMEOUT_S} s") from exc
    if process.returncode != 0:
        output = (process.stderr + process.stdout).splitlines()
        lines = [line.strip() for line in output if line.strip()]
        raise CannotDeploy(f"Prefect refused {path}: {lines[-1] if lines else 'it gave no reason'}")


async def delete_stale_schedules(runs: Sequence[ScheduledRun]) -> None:
    """Delete our schedules that no wave needs any more; `prefect deploy` adds and changes schedules, but deletes none.

    Schedules that a person made in Prefect have other slugs or none, and stay.
    """
    needed = {run.slug for run in runs}
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(deployment_name("run-wave"))
        for schedule in deployment.schedules:
            if (schedule.slug or "").startswith(WAVE_SLUG) and schedule.slug not in needed:
                await client.delete_deployment_schedule(deployment.id, schedule.id)


async def delete_former_deployments() -> None:
    """Of an earlier version, under the name that all of them had; their schedules would begin each run twice."""
    async with get_client() as client:
        for flow in FLOWS:
            try:
                deployment = await client.read_deployment_by_name(f"{flow}/{FORMER_NAME}")
            except ObjectNotFound:
                continue
            await client.delete_deployment(deployment.id)


async def begin_late_runs(runs: Sequence[ScheduledRun]) -> tuple[ScheduledRun, ...]:
    """Start what a schedule cannot: Prefect makes no run for a time that has passed. Returns those that it started.

    A part of a wave that has a run already gets no second one. The key makes one run of several deploys within an
    hour; a run too many would do no harm.
    """
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(deployment_name("run-wave"))
        unfinished = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[deployment.id]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNFINISHED)),
            )
        )
        has_run = [row.parameters for row in unfinished]
        late = tuple(run for run in runs if not any(_parameters(run).items() <= row.items() for row in has_run))
        for run in late:
            await client.create_flow_run_from_deployment(
                deployment.id,
                parameters=_parameters(run),
                idempotency_key=f"{run.slug}-late-{datetime.now(UTC):%Y%m%dT%H}",
            )
    return late


async def deployment_ids() -> dict[str, UUID]:
    """By flow, of what was just deployed."""
    async with get_client() as client:
        return {flow: (await client.read_deployment_by_name(deployment_name(flow))).id for flow in FLOWS}


async def load_runs() -> tuple[tuple[ScheduledRun, ...], tuple[ScheduledRun, ...], tuple[str, ...]]:
    """The runs that are to be scheduled, those whose time has come already, and the waves that are not over."""
    async with open_flow_app(dry_run=True) as app:
        waves, board = await app.queries.waves.all(), await app.queries.positions.board()
        now = await app.queries.now()
        names = tuple(row.name for row in waves if row.state not in ENDED_STATES)
        return scheduled_runs(waves, board, now), late_runs(waves, board, now), names


async def deploy() -> dict[str, Any]:
    """Create the work pool, write the file, apply it. Raises CannotDeploy, and what `EXPECTED_ERRORS` lists."""
    if not get_current_settings().api.url:
        raise CannotDeploy("PREFECT_API_URL is not set; as in PREFECT_API_URL=http://127.0.0.1:4200/api cutover deploy")
    runs, late, waves = await load_runs()
    pool_created = await create_work_pool()
    path = write_prefect_file(runs, read_settings().home.absolute())
    await asyncio.to_thread(run_prefect_deploy, path)
    await delete_stale_schedules(runs)
    await delete_former_deployments()
    await offer_waves(waves, {flow: deployment_name(flow) for flow in FLOWS})
    await replace_automation(await deployment_ids())
    late = await begin_late_runs(late)
    return {
        "file": str(path),
        "pool": POOL,
        "pool_made": pool_created,
        "deployments": [deployment_name(flow) for flow in FLOWS],
        "wave_runs": [_as_json(run) for run in runs],
        "late_runs": [_as_json(run) for run in late],
    }


def _as_json(run: ScheduledRun) -> dict[str, Any]:
    at = {"at": run.at.isoformat(), "local": run.local_time}
    return {"wave": run.wave, "part": run.part, "parts": run.parts, **at}


def main() -> int:
    """Print one JSON line and return 0, or one line on stderr and return 1."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    try:
        document = asyncio.run(deploy())
    except DEPLOY_ERRORS as exc:
        sys.stderr.write(f"cutover: {once_more(str(exc).splitlines()[0])}\n")
        return 1
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
