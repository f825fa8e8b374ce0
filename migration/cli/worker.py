"""`cutover worker`: a Prefect process worker that runs our flows. When it ends, all its flow runs end too."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode, run_verb
from migration.cli.output import print_line
from migration.cli.session import prefect_api_url
from migration.runtime.process_tree import ChildProcess
from migration.settings import read_settings

POOL = "cutover"
POLL_S = 0.5
# Environment of the worker; variables that are set already win.
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
    read_settings().keys()  # raises BadSetting: without the key, every flow run that the worker starts would fail
    prefect_api_url()
    child = ChildProcess(command(limit, name), SETTINGS | dict(os.environ))
    return _wait(child)


def command(limit: int | None, name: str | None) -> list[str]:
    """Prefect's own command; a worker that is started by it alone runs our flows too."""
    arguments = ["--pool", POOL, "--type", "process", "--install-policy", "never"]
    arguments += ["--limit", str(limit)] if limit is not None else []
    arguments += ["--name", name] if name is not None else []
    return [sys.executable, "-m", "prefect", "worker", "start", *arguments]


def _wait(child: ChildProcess) -> int:
    """Wait until the worker or a signal ends it. The worker gets a limited time to end: its server may be gone."""
    stopping = False

    def request_stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        if stopping:
            raise KeyboardInterrupt  # the second signal does not wait
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, request_stop)
    try:
        while child.is_running() and not stopping:
            with suppress(subprocess.TimeoutExpired):
                child.process.wait(POLL_S)
        child.stop()  # also flow runs that have outlived the worker
    finally:
        child.kill()
    if stopping:
        print_line(
            "The worker has ended. What its runs were doing is settled by the next run of the wave, or by a sweep."
        )
        return ExitCode.DONE
    return ExitCode.DONE if child.process.returncode == 0 else ExitCode.ERROR
