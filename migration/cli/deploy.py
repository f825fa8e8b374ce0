"""`cutover deploy`: register the flows, their limits and the schedules of the waves with a Prefect server."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_json, print_line
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, prefect_api_url
from migration.operations.wave_wording import unscheduled_waves
from migration.runtime.process_tree import safe_python


def deploy(as_json: Json = False) -> None:
    """Register the deployments with the Prefect server at PREFECT_API_URL. Run it again when waves change."""
    run_verb(_deploy(as_json))


async def _deploy(as_json: bool) -> int:
    prefect_api_url()
    # In a child process: the package `flows` is above this one, which must not import it.
    process = await asyncio.to_thread(_run_deployments)
    sys.stderr.write(process.stderr)
    if process.returncode != 0:
        return ExitCode.ERROR
    document: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    document["not_scheduled"] = await _read_unscheduled()
    if as_json:
        print_json(document)
    else:
        _print(document)
    return ExitCode.DONE


async def _read_unscheduled() -> dict[str, str]:
    """Waves with live numbers that no schedule will begin, and why: without a word, they would look scheduled."""
    async with open_cli_app(dry_run=True) as app:
        return unscheduled_waves(
            await app.queries.waves.all(), await app.queries.positions.board(), await app.queries.now()
        )


def _run_deployments() -> "subprocess.CompletedProcess[str]":
    env = {"PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"} | safe_python(os.environ)
    command = [sys.executable, "-P", "-m", "flows.deployments"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603


def _print(document: dict[str, Any]) -> None:
    print_line(f"pool         {document['pool']}: {'made' if document['pool_made'] else 'was there'}")
    for name in document["deployments"]:
        print_line(f"deployment   {name}")
    for run in document["wave_runs"]:
        print_line(f"schedule     {_part(run)}, at {run['at']} ({run['local']})")
    for run in document["late_runs"]:
        print_line(f"run now      {_part(run)}, was due at {run['local']}")
    for reason in document["not_scheduled"].values():
        print_line(f"no schedule  {reason}")
    print_line(f"file         {document['file']}")
    print_line("Next: `cutover worker` on every machine that is to move numbers.")


def _part(run: dict[str, Any]) -> str:
    return f"wave {run['wave']}, part {run['part'] + 1} of {run['parts']}"
