"""How every verb speaks: one line per fact, JSON on request, typed exit codes, never a traceback for what is known."""

import asyncio
import errno
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from getpass import getuser
from typing import Annotated, Any, NoReturn, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from migration.app import App, open_app
from migration.errors import BadSetting, CredentialsRefused, MigrationError
from migration.fleet.importing import BadInventory
from migration.settings import read_settings
from state.errors import LeaseLost, NotFound, StateError


class ExitCode(IntEnum):
    """docs/commands.md lists them too."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    NOT_ALL_MOVED = 3
    NO_SUCH = 10
    HELD_BY_ANOTHER = 11
    CREDENTIALS = 12


Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document on the last line.")]
ShowNumbers = Annotated[bool, typer.Option("--show-numbers", help="Print phone numbers in full.")]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def print_line(text: str, *, as_json: bool = False) -> None:
    """A line for a person; to stderr when stdout is for JSON."""
    (err if as_json else out).print(text, markup=False)


@dataclass
class Spoken:
    """What a command with `--json` has said so far: a script gets a document in any case."""

    complaints: list[str] = field(default_factory=list)
    gave: bool = False


# Changed, never set anew below: what a verb says in its event loop has to be seen outside of it.
SPOKEN: ContextVar[Spoken | None] = ContextVar("spoken", default=None)


def print_json(document: Any) -> None:
    """The JSON document of a verb."""
    if (spoken := SPOKEN.get()) is not None:
        spoken.gave = True
    sys.stdout.write(json.dumps(document, default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def count_text(count: int, what: str = "number") -> str:
    """`1 number`, `2 numbers`."""
    return f"{count} {what}" + ("" if count == 1 else "s")


# What is longer than this may be folded; a reference, a step or a command that is to be typed never is.
SHORT = 40


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    if not out.is_terminal or sum(min(width, SHORT) + 2 for width in widths) > out.width:
        _unfolded(title, [columns, *rows], widths)
        return
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        made.add_column(column, overflow="fold", no_wrap=width <= SHORT)
    for row in rows:
        made.add_row(*row)
    Console(highlight=False).print(made, markup=False)


def _unfolded(title: str, rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """A line a row: folded, one could not be searched for in a file, nor copied from a narrow terminal."""
    cells = [[cell.ljust(min(width, SHORT)) for cell, width in zip(row, widths, strict=True)] for row in rows]
    print_line("\n".join([*([title] if title else []), *("  ".join(row).rstrip() for row in cells)]))


@contextmanager
def progress_bar(what: str, *, as_json: bool) -> Iterator[Progress]:
    """A bar on stderr; silent when that is not a terminal."""
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=err, transient=True, disable=as_json or not err.is_terminal) as bar:
        yield bar


def operator_name() -> str:
    """The person at the keyboard, for the record."""
    return os.environ.get("CUTOVER_OPERATOR") or getuser()


class Opener(Protocol):
    def __call__(self, *, dry_run: bool) -> AbstractAsyncContextManager[App]: ...


def _open(*, dry_run: bool) -> AbstractAsyncContextManager[App]:
    return open_app(read_settings(), dry_run=dry_run)


# How verbs get the object graph. A rehearsal hands in one with a clock and far sides of its own.
OPENER: ContextVar[Opener] = ContextVar("opener", default=_open)


@asynccontextmanager
async def open_cli_app(*, dry_run: bool = False) -> AsyncIterator[App]:
    async with OPENER.get()(dry_run=dry_run) as app:
        yield app


def run_verb(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a verb to its exit code. The outermost edge: what is known becomes one line, what is not stays loud."""
    raise typer.Exit(run_to_exit_code(work))


def run_to_exit_code(work: Coroutine[Any, Any, int]) -> int:
    """For a verb that goes on after its work in the loop is done."""
    try:
        return asyncio.run(work)
    except BadInventory as exc:
        for bad in exc.bad:
            print_error(f"{exc.path}: {bad}")
        print_error(
            f"{len(exc.bad)} wrong; nothing was imported. Correct the file and run `cutover import {exc.path}` again"
        )
        return ExitCode.ERROR
    except NotFound as exc:
        return _failed(exc, ExitCode.NO_SUCH)
    except LeaseLost as exc:
        return _failed(exc, ExitCode.HELD_BY_ANOTHER)
    except CredentialsRefused as exc:
        runbook = "; see `cutover runbook token-refused`" if exc.refused_by == "graph" else ""
        return _failed(exc, ExitCode.CREDENTIALS, runbook)
    except (StateError, MigrationError) as exc:
        return _failed(exc, ExitCode.ERROR)
    except BrokenPipeError:
        raise  # whoever read our output has gone, as `head` does; not an error of ours
    except (OSError, SQLAlchemyError) as exc:
        return _out_of_reach(exc)
    except KeyboardInterrupt:
        print_error(
            "stopped by hand; every number is where `cutover status` says, and `cutover run` goes on from there"
        )
        return 130


def _out_of_reach(exc: OSError | SQLAlchemyError) -> int:
    """A file, or the database: asyncpg lets the errors of sockets and name servers through as they are."""
    if isinstance(exc, OSError) and exc.filename is not None:
        print_error(f"{exc.filename}: {exc.strerror}")
        return ExitCode.ERROR
    if isinstance(exc, OSError) and exc.errno in (errno.ENOSPC, errno.EDQUOT):
        print_error(f"nothing more can be written: {exc.strerror}")
        return ExitCode.ERROR
    said = (str(getattr(exc, "orig", None) or exc) or type(exc).__name__).splitlines()[0]
    print_error(f"the database does not answer: {said}; see `cutover runbook database-down`")
    return ExitCode.ERROR


def _failed(exc: Exception, code: ExitCode, more: str = "") -> int:
    print_error(f"{exc}{more}")
    return code


@contextmanager
def one_document(*, as_json: bool) -> Iterator[Callable[[int], None]]:
    """With `--json` a command that ends with an error, and gave no document, gives one that says so."""
    spoken = Spoken()
    before = SPOKEN.set(spoken if as_json else None)

    def ended(code: int) -> None:
        if as_json and code != ExitCode.DONE and not spoken.gave:
            print_json({"error": "\n".join(spoken.complaints), "exit_code": int(code)})

    try:
        yield ended
    finally:
        SPOKEN.reset(before)


def print_error(text: str) -> None:
    """One line, whatever was typed: a name with a line break in it is shown as it would be written down."""
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    if (spoken := SPOKEN.get()) is not None:
        spoken.complaints.append(plain)
    err.print(f"cutover: {plain}", markup=False)


def prefect_api() -> str:
    """Where the Prefect server is. Raises BadSetting: without it Prefect would make up one that forgets its runs."""
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        raise BadSetting("PREFECT_API_URL is not set, for example http://127.0.0.1:4200/api; docs/prefect.md")
    return url


def read_typed_line() -> str:
    """One line of standard input; nothing where it is closed or no text."""
    try:
        return sys.stdin.readline().strip() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        return ""


def prompt_hidden(what: str) -> str:
    """A secret that is typed, unseen. Raises typer.Abort where nobody can be asked."""
    if sys.stdin is None:
        raise typer.Abort
    return str(typer.prompt(what, hide_input=True))


def usage_error(text: str) -> NoReturn:
    """What was typed makes no sense."""
    print_error(text)
    raise typer.Exit(ExitCode.USAGE)


def print_fields(title: str, told: Mapping[str, object]) -> None:
    """`name  value` lines."""
    width = max((len(name) for name in told), default=0)
    out.print(title, style="bold", markup=False)
    for name, value in told.items():
        if value not in (None, ""):
            out.print(f"  {name:<{width}}  {value}", markup=False)
