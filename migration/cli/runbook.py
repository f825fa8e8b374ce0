"""`cutover runbook`: the pages that say what to do, filled in for a number."""

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown

from migration.cli.console import ExitCode, Json, open_cli_app, out, print_json, print_line, print_table, run_verb
from migration.cli.status import number_document
from migration.operations.wording import dark_seconds, next_command, next_runbook, outage_text, status_line, whose_move
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
    """Beside the code in a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_runbooks"
    return shipped if shipped.is_dir() else package.parent / "runbooks"


def pages() -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder().glob("*.md"))}


async def _list(as_json: bool) -> int:
    told = [{"page": name, "title": _title(path.read_text())} for name, path in pages().items()]
    if as_json:
        print_json({"pages": told})
        return ExitCode.DONE
    print_table("", ("page", "title"), [(one["page"], one["title"]) for one in told])
    print_line("Open one: `cutover runbook PAGE`, or filled in: `cutover runbook PAGE N-0001`.")
    return ExitCode.DONE


async def _open(page: str, number: str | None, as_json: bool) -> int:
    found = pages().get(page.removeprefix("runbooks/").removesuffix(".md"))
    if found is None:
        raise NotFound(f"there is no runbook {page}; `cutover runbook` lists them")
    text = found.read_text()
    told: dict[str, object] = {"page": found.stem, "title": _title(text)}
    if number is not None:
        async with open_cli_app(dry_run=True) as app:
            at, now = await app.queries.positions.find(number), await app.queries.now()
        text = filled_in(text, at, now)
        told["number"] = number_document(at, now, False)
    if as_json:
        print_json(told | {"text": text})
    else:
        out.print(Markdown(text, hyperlinks=False) if out.is_terminal else text, markup=False)
    return ExitCode.DONE


def filled_in(text: str, at: Position, now: datetime) -> str:
    """The page for this number: its reference and wave where they are to be typed, and what is true of it."""
    text = text.replace("N-0001", at.ref)
    if at.wave is not None:
        text = re.sub(r"\bWAVE\b", at.wave.replace("\\", r"\\"), text)
    head, heading, rest = text.partition(HEADING + "\n")
    return head + heading + "\n" + "\n".join(_truth(at, now)) + "\n" + rest if heading else text


def _truth(at: Position, now: datetime) -> list[str]:
    told = [f"- {status_line(at, now)}."]
    if at.side_read_at is not None:
        told.append(f"- Side {at.side}, read {at.side_read_at:%Y-%m-%d %H:%M:%S} UTC.")
    if dark_seconds(at, now) is not None:
        told.append(f"- Outage: {outage_text(at, now)}, since {at.dark_since:%Y-%m-%d %H:%M:%S} UTC.")
    if at.ended_at is None:
        told.append(f"- On {at.itinerary} ({at.because}); the next move is of: {whose_move(at, now)}.")
        if next_runbook(at, now) is None:
            told.append(f"- Next: `{next_command(at, now)}`.")
    return told


def _title(text: str) -> str:
    return text.splitlines()[0].removeprefix("# ")
