"""`cutover demo`: a mixed fleet moves from the sandbox's On-Premises to its Cloud, on real Prefect, through a kill."""

import asyncio
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.console import (
    ExitCode,
    Json,
    print_error,
    print_json,
    print_line,
    print_table,
    run_verb,
    usage_error,
)
from migration.demo.demo_run import DemoRun
from migration.demo.report import COLUMNS, DemoResult, problems, summary, table_rows
from migration.demo.servers import DemoServers, DidNotStart

# What a shell shows for a command that Ctrl-C ended.
STOPPED = 130


def demo(
    as_json: Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with databases and logs behind.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put everything; it must be new or empty. Default: a temporary one.")
    ] = None,
) -> None:
    """Move 24 numbers of the sandbox, kill a worker in the middle, show how it ended. Takes two to three minutes."""
    room = _room(folder)
    try:
        run_verb(_demo(room, as_json))
    finally:
        if not keep:
            shutil.rmtree(room, ignore_errors=True)


def _room(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="cutover-demo-"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        usage_error(f"{folder} is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.absolute()


async def _demo(room: Path, as_json: bool) -> int:
    _cancel_on_signal()
    try:
        return await _told(room, as_json)
    except DidNotStart as exc:
        print_error(str(exc))
        return ExitCode.ERROR
    except TimeoutError:
        print_error("the demo took too long; `cutover demo --keep` leaves its logs behind")
        return ExitCode.ERROR
    except asyncio.CancelledError:
        print_error("stopped by hand; everything that was started has ended")
        return STOPPED


async def _told(room: Path, as_json: bool) -> int:
    began = time.monotonic()
    async with DemoServers(room) as house:
        story = DemoRun(house, lambda text: print_line(f"{time.monotonic() - began:5.1f} s  {text}", as_json=as_json))
        end = await story.run()
    wrong = problems(end)
    _print(end, as_json)
    for text in wrong:
        print_line(f"not as it should be: {text}", as_json=as_json)
    if as_json:
        print_json(summary(end))
    return ExitCode.NOT_ALL_MOVED if wrong else ExitCode.DONE


def _print(end: DemoResult, as_json: bool) -> None:
    if as_json:
        return
    print_table("sandbox: how it ended", COLUMNS, table_rows(end))
    told = summary(end)
    spent = told["outage_s"]
    print_line(f"sandbox: {told['on_cloud']} of {told['numbers']} numbers are on Cloud, {told['blocked']} blocked")
    print_line(f"sandbox: outage of our making {spent['p50']} s in the middle, {spent['p99']} s at most")
    print_line(
        f"sandbox: {told['calls']['register']} calls of register, {told['double_effects']} of them twice, "
        f"{told['wrong_pins']} wrong PINs, {told['sends_to_dead_side']} messages sent to a dead side"
    )


def _cancel_on_signal() -> None:
    """Ctrl-C, SIGTERM and a closed terminal end the story; leaving it ends what it started."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
