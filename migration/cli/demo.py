"""`cutover demo`: a mixed fleet moves from the sandbox's On-Premises to its Cloud, on real Prefect, through a kill."""

import asyncio
import shutil
import tempfile
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.options import Json
from migration.cli.output import print_error, print_json, print_line, print_table
from migration.cli.running import run_verb, usage_error
from migration.demo.demo_run import MIN_NUMBERS, DemoRun
from migration.demo.report import COLUMNS, DemoResult, problems, summary, table_rows
from migration.demo.servers import DemoServers, DidNotStart
from migration.runtime.stop_request import before_sudden_end


def demo(
    as_json: Json = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder with databases and logs behind.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Where to put everything; it must be new or empty. Default: a temporary one.")
    ] = None,
    open_pages: Annotated[
        bool, typer.Option("--open", help="Open the operators' pages in a browser, to watch the fleet move.")
    ] = False,
    numbers: Annotated[
        int | None,
        typer.Option(min=MIN_NUMBERS, help="A plain fleet of so many numbers. Default: a mixed fleet of 24."),
    ] = None,
) -> None:
    """Move 24 numbers of the sandbox, kill a worker in the middle, show how it ended. Takes two to three minutes."""
    demo_folder = _make_folder(folder)
    try:
        run_verb(_demo(demo_folder, numbers, as_json, open_pages))
    finally:
        if not keep:
            shutil.rmtree(demo_folder, ignore_errors=True)


def _make_folder(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="cutover-demo-"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        usage_error(f"{folder} is not an empty folder; name a new one")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder.absolute()


async def _demo(folder: Path, numbers: int | None, as_json: bool, open_pages: bool) -> int:
    try:
        return await _run(folder, numbers, as_json, open_pages)
    except DidNotStart as exc:
        print_error(str(exc))
        return ExitCode.ERROR
    except TimeoutError:
        print_error("the demo took too long; `cutover demo --keep` leaves its logs behind")
        return ExitCode.ERROR
    except asyncio.CancelledError:
        print_error("stopped by hand; everything that was started has ended")
        return ExitCode.INTERRUPTED


async def _run(folder: Path, numbers: int | None, as_json: bool, open_pages: bool) -> int:
    began = time.monotonic()

    def print_event(text: str) -> None:
        print_line(f"{time.monotonic() - began:5.1f} s  {text}", as_json=as_json)

    async with DemoServers(folder) as servers:
        with before_sudden_end(servers.kill):
            show = _open if open_pages else _nothing
            result = await DemoRun(servers, print_event, numbers, show_pages=show).run()
    wrong = problems(result)
    _print_result(result, as_json)
    for problem in wrong:
        print_line(f"not as it should be: {problem}", as_json=as_json)
    if as_json:
        print_json(summary(result))
    return ExitCode.NOT_ALL_MOVED if wrong else ExitCode.DONE


def _open(address: str) -> None:
    """A machine without a browser goes on without one; the address stands above."""
    with suppress(webbrowser.Error):
        webbrowser.open(address)


def _nothing(_address: str) -> None:
    """Nobody asked for a browser."""


def _print_result(result: DemoResult, as_json: bool) -> None:
    if as_json:
        return
    print_table("sandbox: how it ended", COLUMNS, table_rows(result))
    figures = summary(result)
    outage = figures["outage_s"]
    print_line(
        f"sandbox: {figures['on_cloud']} of {figures['numbers']} numbers are on Cloud, {figures['blocked']} blocked"
    )
    served = f"{figures['in_service']} of {figures['moved']} moved numbers are in service"
    print_line(f"sandbox: {served}: a message has gone each way, and nothing is reported lost")
    print_line(f"sandbox: outage of our making {outage['p50']} s in the middle, {outage['p99']} s at most")
    print_line(
        f"sandbox: {figures['calls']['register']} calls of register, {figures['double_effects']} of them twice, "
        f"{figures['wrong_pins']} wrong PINs, {figures['sends_to_dead_side']} messages sent to a dead side"
    )
