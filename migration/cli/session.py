"""What a verb gets from its surroundings: the object graph, the operator's name, typed input, Prefect's address."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from getpass import getuser
from typing import TYPE_CHECKING, Protocol

import typer

from migration.errors import BadSetting
from migration.home.reader import HomeReader, open_reader
from migration.runtime.stop_request import PROCESS
from migration.scrubbing.texts import once_more
from migration.settings import read_settings
from state.naming import MOST_PERSON

if TYPE_CHECKING:
    from migration.app import App


class Opener(Protocol):
    def __call__(self, *, dry_run: bool) -> AbstractAsyncContextManager["App"]: ...


def _open(*, dry_run: bool) -> AbstractAsyncContextManager["App"]:
    from migration.app import open_app

    return open_app(read_settings(), dry_run=dry_run, stop=PROCESS)


# How verbs open the object graph. Tests set one with a clock and remote APIs of their own.
OPENER: ContextVar[Opener] = ContextVar("opener", default=_open)


class ReaderOpener(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[HomeReader]: ...


def _open_reader() -> AbstractAsyncContextManager[HomeReader]:
    return open_reader(read_settings())


READER_OPENER: ContextVar[ReaderOpener] = ContextVar("reader_opener", default=_open_reader)


@asynccontextmanager
async def open_cli_reader() -> AsyncIterator[HomeReader]:
    """For verbs that only show what is on record."""
    async with READER_OPENER.get()() as reader:
        yield reader


@asynccontextmanager
async def open_cli_app(*, dry_run: bool = False) -> AsyncIterator["App"]:
    async with OPENER.get()(dry_run=dry_run) as app:
        yield app


def operator_name() -> str:
    """The person who types, for the history."""
    return once_more(os.environ.get("CUTOVER_OPERATOR") or _login_name(), MOST_PERSON)


def _login_name() -> str:
    """A container may run as a user that its system has no name for."""
    try:
        return getuser()
    except (KeyError, OSError):  # the second from Python 3.13 on
        return f"uid {os.getuid()}"


def read_typed_line() -> str:
    """One line of standard input; empty if it is closed or not text."""
    try:
        with PROCESS.interrupting():
            return sys.stdin.readline().strip() if sys.stdin is not None else ""
    except UnicodeDecodeError:
        return ""


def prompt_hidden(label: str) -> str:
    """Ask for a secret without showing it. Raises typer.Abort if there is no standard input."""
    if sys.stdin is None:
        raise typer.Abort
    with PROCESS.interrupting():
        return str(typer.prompt(label, hide_input=True))


def prefect_api_url() -> str:
    """The Prefect server. Raises BadSetting if none is set: Prefect would then start one that forgets its runs."""
    url = os.environ.get("PREFECT_API_URL", "")
    if not url:
        raise BadSetting("PREFECT_API_URL is not set, for example http://127.0.0.1:4200/api; docs/prefect.md")
    return url
