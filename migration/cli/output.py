"""What verbs print: lines and tables for people, one JSON document with `--json`, errors on stderr."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from migration.scrubbing.characters import visible
from migration.scrubbing.rendering import for_cell, for_cells, for_json, for_lines, for_terminal, json_text

if TYPE_CHECKING:
    from pydantic import SecretStr
    from rich.progress import Progress

# Longer cells may be folded; a reference, a step or a command to type never is.
MAX_UNFOLDED_WIDTH = 40
MANY_ROWS = 500  # from so many on they are lines: a table would be laid out for seconds before its first row is seen
BOLD, PLAIN = "\033[1m", "\033[0m"


@dataclass
class OutputRecord:
    """What a verb with `--json` has printed so far."""

    errors: list[str] = field(default_factory=list)
    has_document: bool = False


# The record of the command that runs now; None without `--json`. A verb runs in an event loop with a copy of this
# context, so the record is changed in place: a new value set inside the loop would not be seen outside of it.
RECORD: ContextVar[OutputRecord | None] = ContextVar("output_record", default=None)


def _write(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def print_line(text: str, *, as_json: bool = False) -> None:
    """One line for a person. With `as_json` it goes to stderr, because stdout is for the document."""
    _write(sys.stderr if as_json else sys.stdout, for_terminal(text))


def print_lines(texts: Iterable[str]) -> None:
    """Many lines for a person, written together."""
    lines = for_lines(texts)
    if lines:
        _write(sys.stdout, "\n".join(lines))


def print_page(text: str) -> None:
    """A page of ours as it is, with the numbers of its examples."""
    _write(sys.stdout, text)


def print_secret(value: "SecretStr") -> None:
    """The only place that prints a secret: a named person asked for it, and the record says so."""
    _write(sys.stdout, visible(value.get_secret_value()))


def print_error(text: str) -> None:
    """One line on stderr. What cannot be printed, such as a line break in a name, is escaped."""
    escaped = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    line = for_terminal(escaped)
    if (record := RECORD.get()) is not None:
        record.errors.append(line)
    _write(sys.stderr, f"cutover: {line}")


def print_json(document: Any, *, show_numbers: bool = False, pages: Mapping[str, str] | None = None) -> None:
    """The JSON document of a verb, on one line; each text in it as `for_json` makes it.

    `pages`: texts of ours with line breaks, by key; they stay as they are.
    """
    if (record := RECORD.get()) is not None:
        record.has_document = True
    if pages:
        text = json.dumps(for_json(document, show_numbers=show_numbers) | dict(pages))
    else:
        text = json_text(document, show_numbers=show_numbers)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def error_document(*, as_json: bool) -> Iterator[Callable[[int], None]]:
    """Gives a function to call with the exit code. With `--json`, it prints a document for an error that has none."""
    record = OutputRecord()
    token = RECORD.set(record if as_json else None)

    def finish(exit_code: int) -> None:
        if as_json and exit_code != 0 and not record.has_document:
            print_json({"exit_code": int(exit_code)}, pages={"error": "\n".join(record.errors)})

    try:
        yield finish
    finally:
        RECORD.reset(token)


def count_text(count: int, noun: str = "number") -> str:
    """`1 number`, `2 numbers`."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def print_fields(title: str, values: Mapping[str, object], *, show_numbers: bool = False) -> None:
    """Lines of `name  value`; empty values are left out."""
    width = max((len(name) for name in values), default=0)
    heading = for_cell(title, show_numbers=show_numbers)
    _write(sys.stdout, f"{BOLD}{heading}{PLAIN}" if sys.stdout.isatty() else heading)
    for name, value in values.items():
        if value not in (None, ""):
            _write(sys.stdout, f"  {name:<{width}}  {for_cell(value, show_numbers=show_numbers)}")


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, show_numbers: bool = False
) -> None:
    """A table in a terminal that is wide enough for its rows, else one line per row."""
    cells = for_cells(rows, show_numbers=show_numbers)
    title = for_cell(title, show_numbers=show_numbers)
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    terminal = shutil.get_terminal_size()
    room = terminal.columns if sys.stdout.isatty() else 0
    if len(cells) > MANY_ROWS or sum(min(width, MAX_UNFOLDED_WIDTH) + 2 for width in widths) > room:
        _print_rows_unfolded(title, [columns, *cells], widths)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # As Text, because rich reads markup and emoji names in plain strings.
    table = Table(
        title=Text(title) if title else None, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, overflow="fold", no_wrap=width <= MAX_UNFOLDED_WIDTH)
    for row in cells:
        table.add_row(*map(Text, row))
    # Its size as it was compared: rich takes a terminal that it calls dumb for one of 80 columns, and cuts commands.
    Console(highlight=False, width=room, height=terminal.lines).print(table)


def _print_rows_unfolded(title: str, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """A folded row could not be searched for in a file, nor copied from a narrow terminal."""
    line = "  ".join(f"{{:<{min(width, MAX_UNFOLDED_WIDTH)}}}" for width in widths)
    print_page("\n".join([*([title] if title else []), *(line.format(*row).rstrip() for row in rows)]))


@contextmanager
def progress_bar(label: str, *, as_json: bool) -> Iterator["Progress"]:
    """A bar on stderr; nothing if stderr is not a terminal, or with `--json`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(label, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
        yield bar
