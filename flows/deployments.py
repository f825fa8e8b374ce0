"""Names, schedules, limits: what a Prefect server is told about these flows. `python -m flows.deployments`.

The data below becomes a `prefect.yaml` in the home folder, and Prefect's own `prefect deploy --all` applies that file.
Nothing of a flow run's environment is in it: settings and keys come from the worker that starts the run.
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
from zoneinfo import ZoneInfo

import yaml
from prefect import __version__ as prefect_version
from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessWorker

from flows.common import open_flow_app
from migration.app import EXPECTED_ERRORS
from migration.settings import read_settings
from migration.waves.schedule import WAVE_SLUG, ScheduledRun, scheduled_runs

POOL = "cutover"
# The name of every deployment: `migrate-number/cutover` and so on.
NAME = "cutover"
SWEEP_EVERY_S = 60
PATIENCE_S = 240


class CannotDeploy(Exception):
    """One line that says what does not answer or was refused."""


EXPECTED: tuple[type[Exception], ...] = (CannotDeploy, *EXPECTED_ERRORS)

# Flow -> entrypoint (a module path, so that an installed wheel serves as well as a checkout) and its limit of runs at
# once. Waves have none: their parts share the work, and two runs never share a number. Codes have none: a person waits.
FLOWS: Mapping[str, tuple[str, tuple[int, str] | None]] = {
    "migrate-number": ("flows.migrate_number.migrate_number", (10, "ENQUEUE")),
    "run-wave": ("flows.run_wave.run_wave", None),
    "sweep": ("flows.sweep.sweep", (1, "CANCEL_NEW")),
    "enter-code": ("flows.enter_code.enter_code", None),
    "back-to-onprem": ("flows.back_to_onprem.back_to_onprem", (10, "ENQUEUE")),
    "preflight": ("flows.preflight.preflight", (1, "ENQUEUE")),
}


def prefect_yaml(planned: Sequence[ScheduledRun]) -> dict[str, Any]:
    """The whole of prefect.yaml."""
    schedules = {"sweep": [{"interval": SWEEP_EVERY_S, "slug": "sweep"}], "run-wave": [_once(one) for one in planned]}
    return {
        "prefect-version": prefect_version,
        "name": "cutover",
        "pull": [],  # the flows are installed where the worker runs
        "deployments": [_deployment(flow, schedules.get(flow, [])) for flow in FLOWS],
    }


def _deployment(flow: str, schedules: list[dict[str, Any]]) -> dict[str, Any]:
    entrypoint, limit = FLOWS[flow]
    told: dict[str, Any] = {
        "name": NAME,
        "entrypoint": entrypoint,
        "tags": ["cutover"],
        "enforce_parameter_schema": True,
        "work_pool": {"name": POOL, "job_variables": {}},
        "schedules": schedules,
        "pull": [],
    }
    if limit is not None:
        told["concurrency_limit"] = {"limit": limit[0], "collision_strategy": limit[1]}
    return told


def _once(one: ScheduledRun) -> dict[str, Any]:
    """One run of one part at the wave's own local time; where clocks show that one twice, at the time of UTC."""
    local: datetime = one.at.astimezone(ZoneInfo(one.time_zone))
    twice = len({local.replace(fold=fold).utcoffset() for fold in (0, 1)}) > 1
    start = one.at.astimezone(UTC) if twice else local
    return {
        "rrule": f"DTSTART:{start:%Y%m%dT%H%M%S}\nRRULE:FREQ=DAILY;COUNT=1",
        "timezone": "UTC" if twice else one.time_zone,
        "slug": one.slug,
        "parameters": {"wave": one.wave, "part": one.part, "parts": one.parts},
    }


def write_prefect_file(planned: Sequence[ScheduledRun], home: Path) -> Path:
    path = home / "prefect.yaml"
    head = "# Made by `cutover deploy`, which writes it anew each time. It holds no secret.\n"
    path.write_text(head + yaml.safe_dump(prefect_yaml(planned), sort_keys=False))
    return path


async def create_work_pool() -> bool:
    """Make the process work pool if it is not there. Raises CannotDeploy. Returns whether it was made."""
    async with get_client() as client:
        bad = await client.api_healthcheck()
        if bad is not None:
            raise CannotDeploy(
                f"the Prefect API at {client.api_url} does not answer ({type(bad).__name__}); start `prefect server "
                "start`, or set PREFECT_API_URL to where it is"
            )
        try:
            await client.read_work_pool(POOL)
        except ObjectNotFound:
            template = ProcessWorker.get_default_base_job_template()
            made = WorkPoolCreate(name=POOL, type="process", base_job_template=template)
            try:
                await client.create_work_pool(made)
            except ObjectAlreadyExists:
                return False  # somebody else made it in this very moment
            return True
    return False


def run_prefect_deploy(path: Path) -> None:
    """Have Prefect's own command take the file. Raises CannotDeploy with the line it gave."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter, nothing typed by anybody
            command, cwd=path.parent, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise CannotDeploy(f"the Prefect API did not take {path} within {PATIENCE_S} s") from exc
    if done.returncode != 0:
        said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise CannotDeploy(f"Prefect refused {path}: {said[-1] if said else 'it gave no reason'}")


async def delete_stale_schedules(planned: Sequence[ScheduledRun]) -> None:
    """Delete schedules of waves that need none any more; `prefect deploy` adds and changes, but takes none away.

    Schedules that a person made in Prefect have other slugs or none, and stay.
    """
    wanted = {one.slug for one in planned}
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(f"run-wave/{NAME}")
        for schedule in deployment.schedules:
            if (schedule.slug or "").startswith(WAVE_SLUG) and schedule.slug not in wanted:
                await client.delete_deployment_schedule(deployment.id, schedule.id)


async def load_scheduled_runs() -> tuple[ScheduledRun, ...]:
    async with open_flow_app(dry_run=True) as app:
        return scheduled_runs(
            await app.queries.waves.all(), await app.queries.positions.board(), await app.queries.now()
        )


async def deploy() -> dict[str, Any]:
    """Pool, file, deployments. Raises CannotDeploy, and what `actions.EXPECTED_ERRORS` lists."""
    if not get_current_settings().api.url:
        raise CannotDeploy("PREFECT_API_URL is not set; as in PREFECT_API_URL=http://127.0.0.1:4200/api cutover deploy")
    planned = await load_scheduled_runs()
    made = await create_work_pool()
    path = write_prefect_file(planned, read_settings().home.absolute())
    await asyncio.to_thread(run_prefect_deploy, path)
    await delete_stale_schedules(planned)
    return {
        "file": str(path),
        "pool": POOL,
        "pool_made": made,
        "deployments": [f"{flow}/{NAME}" for flow in FLOWS],
        "wave_runs": [
            {"wave": one.wave, "part": one.part, "parts": one.parts, "at": one.at.isoformat()} for one in planned
        ],
    }


def main() -> int:
    """Print one JSON line and return 0, or one line on stderr and 1."""
    os.environ.setdefault("DO_NOT_TRACK", "1")
    try:
        told = asyncio.run(deploy())
    except EXPECTED as exc:
        sys.stderr.write(f"cutover: {str(exc).splitlines()[0]}\n")
        return 1
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
