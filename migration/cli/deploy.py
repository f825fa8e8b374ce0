"""`cutover deploy`: tell a Prefect server about the flows, their limits and the schedules of the waves."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from migration.cli.console import ExitCode, Json, open_cli_app, prefect_api, print_json, print_line, run_verb
from migration.operations.wave_wording import unscheduled_waves


def deploy(as_json: Json = False) -> None:
    """Register the deployments with the Prefect server at PREFECT_API_URL. Run it again when waves change."""
    run_verb(_deploy(as_json))


async def _deploy(as_json: bool) -> int:
    prefect_api()
    # A child of its own: the flows are above this package, and nothing here imports them.
    done = await asyncio.to_thread(_child)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        return ExitCode.ERROR
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    told["not_scheduled"] = await not_scheduled()
    if as_json:
        print_json(told)
    else:
        _print(told)
    return ExitCode.DONE


async def not_scheduled() -> dict[str, str]:
    """Waves with numbers left that no schedule will begin, and why: silence would look like success."""
    async with open_cli_app(dry_run=True) as app:
        return unscheduled_waves(
            await app.queries.waves.all(), await app.queries.positions.board(), await app.queries.now()
        )


def _child() -> "subprocess.CompletedProcess[str]":
    env = {"PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"} | dict(os.environ)
    command = [sys.executable, "-m", "flows.deployments"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603


def _print(told: dict[str, Any]) -> None:
    print_line(f"pool         {told['pool']}: {'made' if told['pool_made'] else 'was there'}")
    for name in told["deployments"]:
        print_line(f"deployment   {name}")
    for one in told["wave_runs"]:
        print_line(f"schedule     wave {one['wave']}, part {one['part'] + 1} of {one['parts']}, at {one['at']}")
    for because in told["not_scheduled"].values():
        print_line(f"no schedule  {because}")
    print_line(f"file         {told['file']}")
    print_line("Next: `cutover worker` on every machine that is to move numbers.")
