"""`cutover worker`: a Prefect process worker that runs our flows. When it ends, all its flow runs end too."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.output import count_text, print_line
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app, prefect_api_url
from migration.cli.stopped import stopped_line
from migration.operations.wording import status_line, was_begun
from migration.runtime.process_tree import ChildProcess
from migration.runtime.stop_request import PROCESS, StopRequest, before_sudden_end
from migration.settings import read_settings
from migration.waves.next_command import next_command

POOL = "cutover"
POLL_S = 0.5
FLOW_RUN = "prefect.engine"  # in the command line of a process that runs a flow
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
    run_verb(_work(limit, name), ends_itself=True)


async def _work(limit: int | None, name: str | None) -> int:
    read_settings().keys()  # raises BadSetting: without the key, every flow run that the worker starts would fail
    prefect_api_url()
    if not PROCESS.requested:
        child = ChildProcess(command(limit, name), SETTINGS | dict(os.environ))
        _wait(child, PROCESS)
        if not PROCESS.requested:
            return ExitCode.DONE if child.process.returncode == 0 else ExitCode.ERROR
    print_line("The worker has ended.")
    return await _left()


def command(limit: int | None, name: str | None) -> list[str]:
    """Prefect's own command; a worker that is started by it alone runs our flows too."""
    arguments = ["--pool", POOL, "--type", "process", "--install-policy", "never"]
    arguments += ["--limit", str(limit)] if limit is not None else []
    arguments += ["--name", name] if name is not None else []
    return [sys.executable, "-P", "-m", "prefect", "worker", "start", *arguments]


def _wait(child: ChildProcess, stop: StopRequest) -> None:
    """Wait until the worker or a signal ends it. The worker gets a limited time to end: its server may be gone."""
    with before_sudden_end(child.kill):
        try:
            while child.is_running() and not stop.requested:
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(POLL_S)
            if stop.requested:
                _finish_flow_runs(child)
            child.stop()  # also flow runs that have outlived the worker
        finally:
            child.kill()


def _finish_flow_runs(child: ChildProcess) -> None:
    """Each flow run is asked to stop, and may finish what is past its gate; the worker may start no other one.

    The worker is suspended meanwhile: asked to end, it would end its runs too.
    """
    child.send_signal(signal.SIGSTOP)
    runs = child.running_pids_of(FLOW_RUN)
    if runs:
        print_line(f"Waits for {count_text(len(runs), 'flow run')} to finish what is past its gate; Ctrl-C ends them.")
    asked = set[int]()
    while runs := child.running_pids_of(FLOW_RUN):
        for pid in runs - asked:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        asked |= runs
        time.sleep(POLL_S)
    child.send_signal(signal.SIGCONT)


async def _left() -> int:
    """Say which numbers the runs of this worker have left, and what to type next."""
    async with open_cli_app(dry_run=True) as app:
        now = await app.queries.now()
        left = [position for position in await app.queries.positions.board() if was_begun(position)]
    for position in left:
        print_line(f"{status_line(position, now)}  next: {next_command(position, now)}")
    print_line(stopped_line(left))
    return ExitCode.NOT_ALL_MOVED if left else ExitCode.DONE
