"""`cutover worker`: a Prefect process worker that runs our flows, and ends with all of its runs."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer

from migration.cli.console import ExitCode, prefect_api, print_line, run_verb
from migration.runtime.process_tree import Child
from migration.settings import read_settings

POOL = "cutover"
LOOK_EVERY_S = 0.5
# What a worker is started with, unless the environment says otherwise.
SETTINGS = {
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_CLI_PROMPT": "false",
}


def worker(
    limit: Annotated[int | None, typer.Option(min=1, help="How many flow runs at once; default: no limit.")] = None,
    name: Annotated[str | None, typer.Option(help="The worker's name in Prefect; default: one is made up.")] = None,
) -> None:
    """Start a worker for the flows that `cutover deploy` registered. Ctrl-C ends it; numbers stay where they are."""
    run_verb(_work(limit, name))


async def _work(limit: int | None, name: str | None) -> int:
    read_settings().keys()  # a worker without the key would fail every run it starts
    prefect_api()
    child = Child(command(limit, name), SETTINGS | dict(os.environ))
    return _until_it_ends(child)


def command(limit: int | None, name: str | None) -> list[str]:
    """Prefect's own command, which does the same without us."""
    start = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--type", "process"]
    more = ["--install-policy", "never"]
    more += ["--limit", str(limit)] if limit is not None else []
    return start + more + (["--name", name] if name is not None else [])


def _until_it_ends(child: Child) -> int:
    """A worker that was asked to end gets some time; a server that is gone must not keep it for ever."""
    asked = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt  # the second one does not wait
        asked = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    try:
        while child.runs() and not asked:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(LOOK_EVERY_S)
        child.end()  # with the runs that outlived it
    finally:
        child.kill()
    if asked:
        print_line(
            "The worker has ended. What its runs were doing is settled by the next run of the wave, or by a sweep."
        )
        return ExitCode.DONE
    return ExitCode.DONE if child.process.returncode == 0 else ExitCode.ERROR
