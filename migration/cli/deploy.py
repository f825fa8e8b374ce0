"""`cutover deploy`: tell a Prefect server about the flows, their limits and the schedules of the waves."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

from migration.cli.console import Exit, Json, app_of, give, prefect_api, run, say
from migration.waves.schedule import unscheduled


def deploy(as_json: Json = False) -> None:
    """Register the deployments with the Prefect server at PREFECT_API_URL. Run it again when waves change."""
    run(_deploy(as_json))


async def _deploy(as_json: bool) -> int:
    prefect_api()
    # A child of its own: the flows are above this package, and nothing here imports them.
    done = await asyncio.to_thread(_child)
    sys.stderr.write(done.stderr)
    if done.returncode != 0:
        return Exit.ERROR
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    told["not_scheduled"] = await not_scheduled()
    if as_json:
        give(told)
    else:
        _print(told)
    return Exit.DONE


async def not_scheduled() -> dict[str, str]:
    """Waves with numbers left that no schedule will begin, and why: silence would look like success."""
    async with app_of(dry_run=True) as app:
        return unscheduled(await app.queries.waves(), await app.queries.board(), await app.queries.now())


def _child() -> "subprocess.CompletedProcess[str]":
    env = {"PREFECT_LOGGING_LEVEL": "ERROR", "DO_NOT_TRACK": "1"} | dict(os.environ)
    command = [sys.executable, "-m", "flows.deployments"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)  # noqa: S603


def _print(told: dict[str, Any]) -> None:
    say(f"pool         {told['pool']}: {'made' if told['pool_made'] else 'was there'}")
    for name in told["deployments"]:
        say(f"deployment   {name}")
    for one in told["wave_runs"]:
        say(f"schedule     wave {one['wave']}, part {one['part'] + 1} of {one['parts']}, at {one['at']}")
    for because in told["not_scheduled"].values():
        say(f"no schedule  {because}")
    say(f"file         {told['file']}")
    say("Next: `cutover worker` on every machine that is to move numbers.")
