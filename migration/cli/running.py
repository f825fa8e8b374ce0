"""Runs a verb to its exit code. An error that a person can correct becomes one line that says how."""

import asyncio
import errno
from collections.abc import Coroutine
from typing import Any, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError

from migration.cli.exit_codes import STOPPED, ExitCode
from migration.cli.output import print_error
from migration.errors import CredentialsRefused, MigrationError
from migration.fleet.bad_inventory import BadInventory
from migration.runtime.stop_request import PROCESS
from state.errors import DatabaseAway, LeaseLost, NotFound, StateError

DATABASE_PAGE = "; see `cutover runbook database-down`"


def run_verb(work: Coroutine[Any, Any, int], *, ends_itself: bool = False) -> NoReturn:
    """`ends_itself`: a request to stop does not cancel the work, which looks at `App.stop`."""
    raise typer.Exit(run_to_exit_code(work if ends_itself else _until_stopped(work)))


async def _until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """The work, cancelled by a request to stop. Transactions that it has begun are rolled back."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    with PROCESS.calling(lambda: loop.call_soon_threadsafe(task.cancel)):
        return await work


def run_to_exit_code(work: Coroutine[Any, Any, int]) -> int:
    """For a verb that has more to do after its event loop has ended."""
    try:
        return asyncio.run(work)
    except BadInventory as exc:
        return _bad_inventory(exc)
    except NotFound as exc:
        return _error(exc, ExitCode.NO_SUCH)
    except LeaseLost as exc:
        return _error(exc, ExitCode.HELD_BY_ANOTHER)
    except CredentialsRefused as exc:
        advice = "; see `cutover runbook token-refused`" if exc.refused_by == "graph" else ""
        return _error(exc, ExitCode.CREDENTIALS, advice)
    except (StateError, MigrationError) as exc:
        return _error(exc, ExitCode.ERROR, DATABASE_PAGE if isinstance(exc, DatabaseAway) else "")
    except BrokenPipeError:
        raise  # the reader of our output has gone, as `head` does; this is no error of ours
    except OSError as exc:
        return _os_error(exc)
    except SQLAlchemyError as exc:
        return _database_error(exc)
    except (KeyboardInterrupt, asyncio.CancelledError):
        print_error(STOPPED)
        return ExitCode.INTERRUPTED


def usage_error(text: str) -> NoReturn:
    """The command line makes no sense."""
    print_error(text)
    raise typer.Exit(ExitCode.USAGE)


def _error(exc: Exception, exit_code: ExitCode, advice: str = "") -> ExitCode:
    print_error(f"{exc}{advice}")
    return exit_code


def _bad_inventory(exc: BadInventory) -> ExitCode:
    for row in exc.bad:
        print_error(f"{exc.path}: {row}")
    advice = f"Correct the file and run `cutover import {exc.path}` again"
    print_error(f"{len(exc.bad)} wrong; nothing was imported. {advice}")
    return ExitCode.ERROR


def _os_error(exc: OSError) -> ExitCode:
    """A file or, if no file is named, the database: asyncpg raises errors of sockets and name servers unchanged."""
    if exc.filename is not None:
        print_error(f"{exc.filename}: {exc.strerror}")
        return ExitCode.ERROR
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        print_error(f"nothing more can be written: {exc.strerror}")
        return ExitCode.ERROR
    return _database_error(exc)


def _database_error(exc: OSError | SQLAlchemyError) -> ExitCode:
    message = (str(getattr(exc, "orig", None) or exc) or type(exc).__name__).splitlines()[0]
    print_error(f"the database does not answer: {message}{DATABASE_PAGE}")
    return ExitCode.ERROR
