"""`cutover runbook`: the pages that say what to do, filled in for a number."""

import re
import shlex
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from migration.cli.exit_codes import ExitCode
from migration.cli.number_document import number_document
from migration.cli.options import Json
from migration.cli.output import print_json, print_line, print_page, print_table
from migration.cli.running import run_verb
from migration.cli.session import open_cli_app
from migration.operations.service_wording import dark_since_text, outage_text, seen_at, shown_side
from migration.operations.wording import status_line, whose_move
from migration.scrubbing.rendering import for_cell, for_markdown
from migration.waves.next_command import next_command, next_runbook
from state.errors import NotFound
from state.rows import Position

HEADING = "## What is true now"


def runbook(
    page: Annotated[str | None, typer.Argument(help="A page, as in wrong-pin; without it, all are listed.")] = None,
    number: Annotated[
        str | None, typer.Argument(help="Reference (N-0001), E.164 or phone number id: the page filled in for it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the runbooks, open one, or open one filled in for a number."""
    run_verb(_list(as_json) if page is None else _open(page, number, as_json))


def folder() -> Path:
    """Inside the package in a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_runbooks"
    return shipped if shipped.is_dir() else package.parent / "runbooks"


def pages() -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder().glob("*.md"))}


async def _list(as_json: bool) -> int:
    titles = {name: _title(path.read_text()) for name, path in pages().items()}
    if as_json:
        print_json({"pages": [{"page": name, "title": title} for name, title in titles.items()]})
        return ExitCode.DONE
    print_table("", ("page", "title"), list(titles.items()))
    print_line("Open one: `cutover runbook PAGE`, or filled in: `cutover runbook PAGE N-0001`.")
    return ExitCode.DONE


async def _open(page: str, number: str | None, as_json: bool) -> int:
    path = pages().get(page.removeprefix("runbooks/").removesuffix(".md"))
    if path is None:
        raise NotFound(f"there is no runbook {page}; `cutover runbook` lists them")
    text = path.read_text()
    document: dict[str, object] = {"page": path.stem, "title": _title(text)}
    if number is not None:
        async with open_cli_app(dry_run=True) as app:
            position, now = await app.queries.positions.find(number), await app.queries.now()
        text = filled_in(text, position, now, for_markdown if sys.stdout.isatty() and not as_json else for_cell)
        document["number"] = number_document(position, now, False)
    if as_json:
        print_json(document, show_numbers=True, pages={"text": text})
    else:
        _print_page(text)
    return ExitCode.DONE


def _print_page(text: str) -> None:
    if not sys.stdout.isatty():
        print_page(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(highlight=False, soft_wrap=True).print(Markdown(text, hyperlinks=False))


def filled_in(text: str, position: Position, now: datetime, render: Callable[[str], str] = for_cell) -> str:
    """The page with the number's reference and wave in place of the examples, and with what is true of the number.

    `render`: how a text that may come from outside is shown where the page goes.
    """
    text = text.replace("N-0001", position.ref)
    if position.wave is not None:
        wave = for_cell(shlex.quote(position.wave))
        text = re.sub(r"\bWAVE\b", lambda _: wave, text)
    before, heading, after = text.partition(HEADING + "\n")
    if not heading:
        return text
    return before + heading + "\n" + "\n".join(map(render, _current_state(position, now))) + "\n" + after


def _current_state(position: Position, now: datetime) -> list[str]:
    lines = [f"- {status_line(position, now)}."]
    if (seen := seen_at(position)) is not None:
        lines.append(f"- Side {shown_side(position)}, read {seen:%Y-%m-%d %H:%M:%S} UTC.")
    if (since := dark_since_text(position, now)) is not None:
        lines.append(f"- Outage: {outage_text(position, now)}, {since}.")
    if position.ended_at is None:
        itinerary = f"{position.itinerary} ({position.because})"
        lines.append(f"- On {itinerary}; the next move is of: {whose_move(position, now)}.")
        if next_runbook(position, now) is None:  # otherwise the page would name itself as the next command
            lines.append(f"- Next: `{next_command(position, now)}`.")
    return lines


def _title(text: str) -> str:
    return text.splitlines()[0].removeprefix("# ")
